# SPDX-License-Identifier: Apache-2.0
"""Our CMA-ES and separable CMA-ES need as many evaluations as the `cmaes` package's CMA and SepCMA: on sphere, ellipsoid and,
for the first, Rosenbrock (which a diagonal covariance does not solve in this budget), over many seeds, the two distributions pass a two-sample Kolmogorov-Smirnov test and their medians agree. Usage: compare_with_cmaes.py CMA_EVALUATIONS"""
import json
import math
import statistics
import subprocess
import sys

import cmaes
import numpy

# As in cma_evaluations.cc.
DIMENSION, SEEDS, EVALUATIONS_MAX, TARGET, SIGMA, START = 6, 60, 20_000, 1e-8, 0.5, 0.8
P_MIN = 0.001  # of the Kolmogorov-Smirnov test; seeds are fixed, so that the outcome is
MEDIANS_DIFFER_MAX = 0.10


def sphere(x):
    return float(numpy.sum(x * x))


def ellipsoid(x):
    return float(numpy.sum(1000.0 ** (2 * numpy.arange(DIMENSION) / (DIMENSION - 1)) * x * x))


def rosenbrock(x):
    return float(numpy.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def evaluations(kind, function, seed):
    optimizer = getattr(cmaes, kind)(mean=numpy.full(DIMENSION, START), sigma=SIGMA, seed=seed)
    used = 0
    while used < EVALUATIONS_MAX:
        told = []
        for _ in range(optimizer.population_size):
            x = optimizer.ask()
            value = function(x)
            used += 1
            if value < TARGET:
                return used
            told.append((x, value))
        optimizer.tell(told)
    return EVALUATIONS_MAX


def ks_p_value(first, second):
    """The asymptotic p-value of the two-sample Kolmogorov-Smirnov test (Numerical Recipes' form of its distribution)."""
    points = sorted({*first, *second})
    distance = max(abs(sum(x <= p for x in first) / len(first) - sum(x <= p for x in second) / len(second)) for p in points)
    size = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (size + 0.12 + 0.11 / size) * distance
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101)))) if scaled > 0.2 else 1.0


def main():
    # The test itself must be able to fail: a shift is found.
    assert ks_p_value(list(range(100)), [x + 30 for x in range(100)]) < P_MIN
    ours = json.loads(subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout)
    failed = False
    for kind, function in [("CMA", sphere), ("CMA", ellipsoid), ("CMA", rosenbrock), ("SepCMA", sphere), ("SepCMA", ellipsoid)]:
        mine, theirs = ours[kind][function.__name__], [evaluations(kind, function, seed) for seed in range(SEEDS)]
        p, medians = ks_p_value(mine, theirs), (statistics.median(mine), statistics.median(theirs))
        differ = abs(medians[0] / medians[1] - 1)
        print(f"{kind}, {function.__name__}: median evaluations {medians[0]:.0f}, cmaes {medians[1]:.0f}; KS p = {p:.3f}")
        failed |= len(mine) != SEEDS or p < P_MIN or differ > MEDIANS_DIFFER_MAX
    sys.exit("the distributions differ" if failed else 0)


if __name__ == "__main__":
    main()
