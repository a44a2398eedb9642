# SPDX-License-Identifier: Apache-2.0
"""CPU milliseconds that the packages `cmaes` and `cma` (pycma) need to ask and tell one generation, for optimizer_bench.cc.

usage: reference.py N/POPULATION...  Prints {"cmaes": {"N/POPULATION": milliseconds or null}, "cma": ..., "sep_cmaes": ...}: the
mean over the generations that are timed. null: not run, as the package would need more than ten minutes or more memory than
there is (cmaes.CMA at n = 4288 asks for two arrays of 17.5 GiB at a population of 128).
"""
import json
import sys
import time
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses matplotlib, which only its plots need
    import cma
import cmaes
import numpy

# cmaes decomposes in every generation, so that few suffice; pycma does it lazily, as we do, and at n = 4288 for the first
# time after more than 7 generations.
CMAES_GENERATIONS = {6: 200, 100: 50, 450: 4, 1000: 2}
PYCMA_GENERATIONS = {6: 200, 100: 100, 450: 40, 1000: 24, 4288: 14}
SEP_GENERATIONS = {6: 200, 100: 100, 450: 50, 1000: 30, 4288: 10}


def sphere(x):
    return float(numpy.dot(x, x))


def time_cmaes(kind, n, population, generations):
    optimizer = kind(mean=numpy.full(n, 0.5), sigma=1 / 6, population_size=population, seed=1)
    spent = 0.0
    for _ in range(generations):
        start = time.process_time()
        points = [optimizer.ask() for _ in range(population)]
        spent += time.process_time() - start
        told = [(x, sphere(x)) for x in points]
        start = time.process_time()
        optimizer.tell(told)
        spent += time.process_time() - start
    return spent / generations * 1e3


def time_pycma(n, population, generations):
    optimizer = cma.CMAEvolutionStrategy(n * [0.5], 1 / 6, {"popsize": population, "seed": 1, "verbose": -9})
    spent = 0.0
    for _ in range(generations):
        start = time.process_time()
        points = optimizer.ask()
        spent += time.process_time() - start
        values = [sphere(x) for x in points]
        start = time.process_time()
        optimizer.tell(points, values)
        spent += time.process_time() - start
    return spent / generations * 1e3


def main():
    warnings.simplefilter("ignore")
    result = {"cmaes": {}, "cma": {}, "sep_cmaes": {}}
    for key in sys.argv[1:]:
        n, population = map(int, key.split("/"))
        generations = CMAES_GENERATIONS.get(n)
        result["cmaes"][key] = time_cmaes(cmaes.CMA, n, population, generations) if generations else None
        result["cma"][key] = time_pycma(n, population, PYCMA_GENERATIONS[n])
        result["sep_cmaes"][key] = time_cmaes(cmaes.SepCMA, n, population, SEP_GENERATIONS[n])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
