# SPDX-License-Identifier: Apache-2.0
"""Measures the demo's claim in plain Python: parents, uniform merges, random search and CMA-ES, on the sealed test problems."""

import argparse
import pathlib
import time

import cmaes
import numpy
import safetensors.torch
import torch
import transformers

import evaluate
import merge

DEMO = pathlib.Path(__file__).resolve().parent.parent
WEIGHT_MAX = 2.0
SIGMA = 1 / 6  # of a gene's range
FINALISTS = 5  # the best of the search, scored again on the validation problems; the best of those is the winner


class Task:
    """The models and problems, and the score of any merge."""

    def __init__(self, models, experts, data, batch, granularity):
        folders = [models / name for name in ["base", *experts]]
        self.states = {folder.name: safetensors.torch.load_file(folder / "model.safetensors") for folder in folders}
        self.rows = {split: evaluate.read(data / f"{split}.jsonl") for split in ("search", "validation", "test")}
        self.batch = self.rows["search"][:batch]
        self.student = evaluate.Student(transformers.MistralForCausalLM.from_pretrained(folders[0], dtype=torch.float32), folders[0])
        self.merger = merge.Merger(self.states["base"], [self.states[name] for name in experts], granularity)
        self.experts = len(experts)

    def score(self, state, rows):
        self.student.model.load_state_dict(state)
        return evaluate.score(rows, self.student.answers(rows))

    def split_score(self, state, split):
        return self.score(state, self.rows[split])


class Encoding:
    """Genes in [0, 1] as the weights and, where the method has them, the densities of a merge."""

    def __init__(self, task, method):
        self.task, self.method = task, method
        self.shape = (1 if method == "task_arithmetic" else 2, task.experts, len(task.merger.groups))
        self.size = int(numpy.prod(self.shape))

    def state(self, genes):
        parts = numpy.asarray(genes).reshape(self.shape)
        return self.task.merger.merge(self.method, parts[0] * WEIGHT_MAX, parts[1] if len(parts) > 1 else None)

    def fitness(self, genes):
        return self.task.score(self.state(genes), self.task.batch)


def random_search(encoding, budget, seed):
    """Every candidate with its score; uniform in the same space."""
    rng = numpy.random.default_rng(seed)
    candidates = [rng.random(encoding.size) for _ in range(budget)]
    return [(encoding.fitness(genes), genes) for genes in candidates]


def evolution(encoding, budget, seed, start):
    """Every candidate of a CMA-ES run with its score, and the last mean; points outside the range are moved to its edge."""
    optimizer = cmaes.CMA(mean=numpy.full(encoding.size, start), sigma=SIGMA, seed=seed)
    found = []
    while len(found) + optimizer.population_size <= budget:
        asked = [numpy.clip(optimizer.ask(), 0, 1) for _ in range(optimizer.population_size)]
        scored = [(encoding.fitness(genes), genes) for genes in asked]
        optimizer.tell([(genes, -fitness) for fitness, genes in scored])
        found += scored
    mean = numpy.clip(optimizer.mean, 0, 1)
    return [*found, (encoding.fitness(mean), mean)]


def winner(encoding, found):
    """(search score of the best, test score of the one that the validation problems chose)."""
    finalists = sorted(found, key=lambda pair: -pair[0])[:FINALISTS]
    if not any(pair[1] is found[-1][1] for pair in finalists):
        finalists.append(found[-1])
    chosen = max((encoding.state(genes) for _, genes in finalists), key=lambda state: encoding.task.split_score(state, "validation"))
    return finalists[0][0], encoding.task.split_score(chosen, "test")


def report_parents(task):
    for name, state in task.states.items():
        task.student.model.load_state_dict(state)
        texts = task.student.answers(task.rows["test"])
        grades = evaluate.grade(task.rows["test"], texts)
        right, japanese = (sum(column) / len(grades) for column in zip(*grades))
        both = sum(a and b for a, b in grades) / len(grades)
        print(f"{name:12} test {both:6.1%}  right number {right:6.1%}  in Japanese {japanese:6.1%}  e.g. {texts[:3]}", flush=True)


def report_uniform(task, method, densities=(None,)):
    """The same weight for every expert and group: the whole range, each scored on the test problems."""
    groups = len(task.merger.groups)
    for density in densities:
        spread = None if density is None else [[density] * groups] * task.experts
        scores = []
        for weight in numpy.arange(0.2, WEIGHT_MAX + 0.05, 0.2):
            state = task.merger.merge(method, [[weight] * groups] * task.experts, spread)
            scores.append((task.split_score(state, "test"), round(float(weight), 1)))
        line = " ".join(f"{weight}:{score:.0%}" for score, weight in scores)
        print(f"uniform {method}, density {density}: best {max(scores)[0]:.1%} of {line}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=pathlib.Path, default=DEMO / "models")
    parser.add_argument("--data", type=pathlib.Path, default=DEMO / "data")
    parser.add_argument("--experts", nargs="+", default=["ja", "math"])
    parser.add_argument("--method", choices=["task_arithmetic", "ties", "dare_ties"], default="task_arithmetic")
    parser.add_argument("--granularity", choices=["model", "layer", "module"], default="layer")
    parser.add_argument("--budget", type=int, default=300, help="candidates of each search")
    parser.add_argument("--batch", type=int, default=100, help="search problems that each candidate answers")
    parser.add_argument("--start", type=float, default=0.5, help="CMA-ES's first mean, in shares of a gene's range")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--skip-baselines", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = Task(options.models, options.experts, options.data, options.batch, options.granularity)
    if not options.skip_baselines:
        report_parents(task)
        report_uniform(task, options.method, (None,) if options.method == "task_arithmetic" else (0.2, 0.5, 0.8, 1.0))
    encoding = Encoding(task, options.method)
    for seed in options.seeds:
        searches = {"CMA-ES": lambda: evolution(encoding, options.budget, seed, options.start),
                    "random search": lambda: random_search(encoding, options.budget, seed)}
        for name, search in searches.items():
            begin = time.monotonic()
            best, test = winner(encoding, search())
            print(f"{name}, {options.method} by {options.granularity}, {encoding.size} genes, {options.budget} candidates of "
                  f"{options.batch} problems, seed {seed}: search {best:.1%}, test {test:.1%}, {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
