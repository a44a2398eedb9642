# SPDX-License-Identifier: Apache-2.0
"""Compares the optimizers on the demo's data-flow search: the same budget for each, several seeds. Needs Python 3 only.

usage: demo.py run BIN OUT SEEDS [GENERATIONS PROBLEMS]   runs deploy/demo/dfs.yaml with each optimizer, seed by seed, one run at a time
       demo.py report OUT [OUT.svg]                       Markdown tables of the seeds that are complete, and the picture

With GENERATIONS and PROBLEMS (for each candidate) the budget is smaller than the demo's, and validation comes at the end only.
BIN is the folder of `coordinator` and `worker`, OUT gets a database, a log and a config per run. Started again `run` goes on where
it stopped. What is found does not depend on the machine's load, only the time does.
"""
import json
import re
import sqlite3
import statistics
import subprocess
import sys
from html import escape
from pathlib import Path

DEMO = Path(__file__).resolve().parents[3] / "deploy" / "demo"
# On thresholded indicators two-point step sizes do not suit (docs/optimizers.md), so that the Gaussian ones get `csa`.
OPTIMIZERS = {"mixed": "kind: mixed", "cma": "kind: cma, step_size: csa", "sep_cma": "kind: sep_cma, step_size: csa",
              "cma_margin": "kind: cma_margin, step_size: csa", "random": "kind: random"}
COLOURS = {"mixed": "#d62728", "cma": "#1f77b4", "sep_cma": "#17becf", "cma_margin": "#9467bd", "random": "#7f7f7f"}
WIDTH, HEIGHT, LEFT, TOP = 640, 300, 50, 34

# A winner's own scores, and what the search of its database computed. A path is A's own where it visits each layer of part 0 once, in order.
WINNER = "SELECT validation, test FROM best_genomes WHERE chosen"
PARENT = "SELECT validation, test FROM parent_scores WHERE name = 'ja'"
COUNTS = """SELECT count(*), count(*) FILTER (WHERE t.state = 'infeasible'), count(DISTINCT g.recipe_digest) FROM trials t
            JOIN genomes g USING (genome) WHERE t.purpose = 'search'"""
PATHS = "SELECT g.recipe, g.origin != 'mean', g.chosen FROM genomes g WHERE g.phase = 0"


def config(kind, seed, generations, problems):
    text = (DEMO / "dfs.yaml").read_text(encoding="utf-8")
    replacements = [(r"^seed: \d+", f"seed: {seed}"), (r"optimizer: \{kind: mixed, ", f"optimizer: {{{OPTIMIZERS[kind]}, "),
                    (r"path: (models|data)/", rf"path: {DEMO}/\1/")]
    if generations:
        replacements += [(r"generations: \d+", f"generations: {generations}"),
                         (r"^( *)samples: \{per_generation: \d+\}", rf"\1samples: {{per_generation: {problems}}}\n\1selection: {{each_generation: false}}")]
    for pattern, replacement in replacements:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if count == 0:
            sys.exit(f"demo.py: {DEMO}/dfs.yaml has no {pattern!r} any more; adapt this script")
    return text


def run(binaries, out, seeds, generations=0, problems=0):
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    for seed in range(1, int(seeds) + 1):
        for kind in OPTIMIZERS:
            name = f"{kind}-{seed}"
            path = out / f"{name}.yaml"
            path.write_text(config(kind, seed, int(generations), int(problems)), encoding="utf-8")
            with open(out / f"{name}.log", "a", encoding="utf-8") as log:
                command = [f"{binaries}/coordinator", "--config", str(path), "--db", str(out / f"{name}.db"), "--local-workers", "2"]
                subprocess.run(command, stdout=log, stderr=log, check=True)
            print(name, flush=True)


def hops(recipe):
    return [(part, layer) for part, layer, _ in recipe["path"]]


def read(path):
    """What one run found, or None where it is not done."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    if database.execute("SELECT state FROM experiment").fetchone() != ("done",):
        return None
    genomes = [(hops(json.loads(recipe)), candidate, chosen) for recipe, candidate, chosen in database.execute(PATHS)]
    (winner,) = (path for path, _, chosen in genomes if chosen)
    candidates, infeasible, recipes = database.execute(COUNTS).fetchone()
    own = [(0, layer) for layer in range(max(layer for part, layer in sum((p for p, _, _ in genomes), []) if part == 0) + 1)]
    return {"winner": database.execute(WINNER).fetchone(), "parent": database.execute(PARENT).fetchone(), "candidates": candidates,
            "infeasible": infeasible, "recipes": recipes, "paths": len({str(path) for path, candidate, _ in genomes if candidate}),
            "own": winner == own, "hops": len(winner)}


def collect(out):
    """Results by optimizer, of the seeds that all optimizers have finished."""
    runs = {kind: {} for kind in OPTIMIZERS}
    for path in Path(out).glob("*.db"):
        kind, seed = path.stem.rsplit("-", 1)
        result = read(path)
        if result:
            runs[kind][int(seed)] = result
    seeds = sorted(set.intersection(*(set(results) for results in runs.values())))
    return seeds, {kind: [results[seed] for seed in seeds] for kind, results in runs.items()}


def spread(values, scale=100.0):
    deviation = statistics.stdev(values) * scale if len(values) > 1 else float("nan")
    return f"{statistics.mean(values) * scale:.1f} ± {deviation:.1f}"


def table(seeds, runs):
    lines = ["| optimizer | test, % | validation of the winner, % | candidates | different recipes | different paths | infeasible | winner is A's own path |",
             "|---|---|---|---|---|---|---|---|"]
    for kind, results in runs.items():
        mean = lambda key: f"{statistics.mean(result[key] for result in results):.0f}"  # noqa: E731
        lines.append(f"| `{kind}` | {spread([r['winner'][1] for r in results])} | {spread([r['winner'][0] for r in results])} | "
                     f"{mean('candidates')} | {mean('recipes')} | {mean('paths')} | {mean('infeasible')} | "
                     f"{sum(r['own'] for r in results)} of {len(results)} |")
    parent = next(iter(runs.values()))[0]["parent"]
    lines.append(f"| `ja` as it is | {parent[1] * 100:.1f} | {parent[0] * 100:.1f} | | | | | |")
    lines += ["", "Test, % right, by seed:", "", "| seed | " + " | ".join(runs) + " |", "|" + "---|" * (len(runs) + 1)]
    for index, seed in enumerate(seeds):
        lines.append(f"| {seed} | " + " | ".join(f"{results[index]['winner'][1] * 100:.1f}" for results in runs.values()) + " |")
    return "\n".join(lines)


def picture(seeds, runs):
    """The test score of every winner, a dot a seed, with each optimizer's mean as a bar and the parent's score as a dashed line."""
    scores = {kind: [result["winner"][1] * 100 for result in results] for kind, results in runs.items()}
    parent = next(iter(runs.values()))[0]["parent"][1] * 100
    every = [parent] + sum(scores.values(), [])
    low, high = min(every) - 1, max(every) + 1
    y = lambda value: TOP + HEIGHT * (high - value) / (high - low)  # noqa: E731
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{TOP + HEIGHT + 34}" font-family="sans-serif" font-size="11">',
             f'<rect width="{LEFT + WIDTH + 90}" height="{TOP + HEIGHT + 34}" fill="white"/>',
             f'<text x="{LEFT}" y="{TOP - 14}" font-weight="bold">Right answers of the winners on the sealed test, %; a dot is a seed ({len(seeds)}), the bar their mean</text>',
             f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y(parent):.1f}" y2="{y(parent):.1f}" stroke="#24292f" stroke-dasharray="5 4"/>')
    parts.append(f'<text x="{LEFT + WIDTH + 6}" y="{y(parent) + 4:.1f}">ja as it is</text>')
    for index, (kind, values) in enumerate(scores.items()):
        middle = LEFT + WIDTH * (index + 0.5) / len(scores)
        for place, value in enumerate(values):
            x = middle + 50 * ((place + 0.5) / len(values) - 0.5)  # side by side, so that equal scores are seen
            parts.append(f'<circle cx="{x:.1f}" cy="{y(value):.1f}" r="3.5" fill="{COLOURS[kind]}"/>')
        mean = y(statistics.mean(values))
        parts.append(f'<line x1="{middle - 40:.1f}" x2="{middle + 40:.1f}" y1="{mean:.1f}" y2="{mean:.1f}" stroke="{COLOURS[kind]}" stroke-width="2"/>')
        parts.append(f'<text x="{middle:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{escape(kind)}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def report(out, svg=None):
    seeds, runs = collect(out)
    if not seeds:
        sys.exit(f"demo.py: no seed in {out} is complete for every optimizer yet")
    print(table(seeds, runs))
    if svg:
        Path(svg).write_text(picture(seeds, runs), encoding="utf-8")


if __name__ == "__main__":
    commands = {"run": run, "report": report}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
