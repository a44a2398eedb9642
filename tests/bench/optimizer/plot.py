# SPDX-License-Identifier: Apache-2.0
"""Draws traces of compare_optimizers.cc: what the best candidate is short by over the evaluations, one panel a problem.

usage: plot.py TRACES.json OUT.svg PROBLEM...  (keys of TRACES.json)
"""
import json
import sys
from html import escape

METHODS = {"cma, csa": "#1f77b4", "cma, csa, unbounded": "#2ca02c", "sep_cma, csa": "#17becf", "cma_margin, csa": "#9467bd", "mixed, no moves": "#ff7f0e",
           "mixed, moves 0.25": "#d62728", "random": "#7f7f7f"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 380, 240, 50, 30, 70
EVERY = 128  # evaluations between two points, as in compare_optimizers.cc


def panel(title, traces, x0):
    highest = max(max(trace) for trace in traces.values())
    count = max(len(trace) for trace in traces.values())

    def point(i, value):
        return f"{x0 + WIDTH * (i + 1) / count:.1f},{TOP + HEIGHT * (1 - max(value, 0) / highest):.1f}"

    parts = [f'<text x="{x0}" y="{TOP - 10}" font-weight="bold">{escape(title)}</text>',
             f'<rect x="{x0}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    for step in range(5):
        y, x = TOP + HEIGHT * (1 - step / 4), x0 + WIDTH * step / 4
        parts.append(f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{highest * step / 4:.3g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{round(EVERY * count * step / 4)}</text>')
    for name, colour in METHODS.items():
        line = " ".join(point(i, value) for i, value in enumerate(traces[name]))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return parts


def main():
    traces_path, out_path, *problems = sys.argv[1:]
    with open(traces_path, encoding="utf-8") as file:
        traces = json.load(file)
    total = LEFT + len(problems) * (WIDTH + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{TOP + HEIGHT + 70}" font-family="sans-serif" font-size="11">',
             f'<rect width="{total}" height="{TOP + HEIGHT + 70}" fill="white"/>']
    for index, problem in enumerate(problems):
        parts += panel(problem, traces[problem], LEFT + index * (WIDTH + GAP))
    parts.append(f'<text x="{LEFT}" y="{TOP + HEIGHT + 34}">evaluations (across), what the best candidate is short by (up), median of the seeds</text>')
    for index, (name, colour) in enumerate(METHODS.items()):
        x = LEFT + index * (total - LEFT) / len(METHODS)
        parts.append(f'<rect x="{x:.0f}" y="{TOP + HEIGHT + 46}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18:.0f}" y="{TOP + HEIGHT + 52}">{escape(name)}</text>')
    parts.append("</svg>")
    with open(out_path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
