# SPDX-License-Identifier: Apache-2.0
"""Draws a search from its trial database as an SVG: fitness by generation, and the scores on the sealed test. Needs Python 3 only.
Usage: plot_progress.py DB OUT.svg"""
import html
import sqlite3
import sys

WIDTH, HEIGHT = 960, 400
TOP, BOTTOM = 62, 352            # of both plots
LINES_LEFT, LINES_RIGHT = 62, 500
BARS_LEFT, BARS_RIGHT = 700, 930
COLOURS = ["#8a8f98", "#1f6feb", "#c2410c", "#0f766e", "#7c3aed"]  # of phases, in their order
GREY, INK = "#d0d4da", "#24292f"
FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'

PROGRESS = "SELECT phase, generation, best_so_far, mean FROM generation_progress WHERE state = 'done' AND best IS NOT NULL"
PHASES = "SELECT p.name, json_extract(e.config, '$.phases[' || p.phase || '].optimizer.kind') FROM phases p, experiment e ORDER BY p.phase"
PARENTS = "SELECT name, test FROM parent_scores WHERE test IS NOT NULL"
BASELINES = """SELECT b.origin, max(b.test) FROM best_genomes b WHERE b.test IS NOT NULL AND NOT b.chosen
               AND b.origin IN ('mean', 'injected') GROUP BY b.origin ORDER BY b.origin DESC"""
WINNERS = "SELECT phase, test FROM best_genomes WHERE chosen AND test IS NOT NULL"
EVERY_TEST = "SELECT count(*) FROM problems WHERE split = 'test'"


def text(x, y, words, size=12, anchor="start", colour=INK, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" {FONT} font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{weight}">{html.escape(str(words))}</text>')


def line(x1, y1, x2, y2, colour=GREY):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def curve(points, colour, dashed):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{1.6 if dashed else 2.6}"{dash}/>'


def height(score):
    """The y coordinate of a score in [0, 1]."""
    return BOTTOM - score * (BOTTOM - TOP)


def labels(phases):
    """Per phase what searched in it; with the phase's name where that alone would be ambiguous."""
    kinds = ["random search" if kind == "RANDOM" else "CMA-ES" for _, kind in phases]
    return {name: kind if kinds.count(kind) == 1 else f"{kind}, {name}" for (name, _), kind in zip(phases, kinds)}


def draw_lines(phases, progress):
    shapes = [text(LINES_LEFT, 28, "Fitness in the search, by generation", 15, weight="bold")]
    for percent in range(0, 101, 20):
        y = height(percent / 100)
        shapes += [line(LINES_LEFT, y, LINES_RIGHT, y), text(LINES_LEFT - 8, y + 4, f"{percent}%", 11, "end")]
    last = max((generation for _, generation, _, _ in progress), default=0)
    x_of = lambda generation: LINES_LEFT + (LINES_RIGHT - LINES_LEFT) * (generation / last if last else 0.5)
    for generation in sorted({0, last // 2, last}):
        shapes.append(text(x_of(generation), BOTTOM + 18, generation + 1, 11, "middle"))
    shapes.append(text((LINES_LEFT + LINES_RIGHT) / 2, BOTTOM + 36, "generation", 11, "middle"))
    for index, phase in enumerate(labels(phases)):
        rows = [row for row in progress if row[0] == phase]
        colour = COLOURS[index % len(COLOURS)]
        shapes.append(curve([(x_of(g), height(best)) for _, g, best, _ in rows], colour, dashed=False))
        shapes.append(curve([(x_of(g), height(mean)) for _, g, _, mean in rows], colour, dashed=True))
        y = BOTTOM - 44 + 16 * index
        shapes += [line(LINES_RIGHT - 190, y - 4, LINES_RIGHT - 168, y - 4, colour), text(LINES_RIGHT - 162, y, labels(phases)[phase], 11, colour=colour)]
    shapes.append(text(LINES_RIGHT - 190, BOTTOM - 60, "solid: best so far, dashed: mean", 11))
    return shapes


def draw_bars(bars, problems):
    shapes = [text(BARS_LEFT - 140, 28, f"Score on the sealed test ({problems} problems)", 15, weight="bold")]
    step = (BOTTOM - TOP) / max(1, len(bars))
    for index, (name, score, colour) in enumerate(bars):
        y = TOP + step * index
        thickness = min(28, step * 0.7)
        width = max(1.0, score * (BARS_RIGHT - BARS_LEFT - 40))
        shapes.append(f'<rect x="{BARS_LEFT}" y="{y:.1f}" width="{width:.1f}" height="{thickness:.1f}" fill="{colour}"/>')
        middle = y + thickness / 2 + 4
        shapes += [text(BARS_LEFT - 8, middle, name, 12, "end"), text(BARS_LEFT + width + 6, middle, f"{100 * score:.1f}%", 12, weight="bold")]
    return shapes


def bars_of(connection, phases):
    bars = [(f"parent: {name}", score, GREY) for name, score in connection.execute(PARENTS)]
    names = {"injected": "uniform merge", "mean": "start of the search"}
    bars += [(names[origin], score, GREY) for origin, score in connection.execute(BASELINES)]
    order = list(labels(phases))
    for phase, score in sorted(connection.execute(WINNERS), key=lambda row: order.index(row[0])):
        bars.append((labels(phases)[phase], score, COLOURS[order.index(phase) % len(COLOURS)]))
    return bars


def main():
    database, out = sys.argv[1:]
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    phases = connection.execute(PHASES).fetchall()
    shapes = draw_lines(phases, connection.execute(PROGRESS).fetchall())
    shapes += draw_bars(bars_of(connection, phases), connection.execute(EVERY_TEST).fetchone()[0])
    connection.close()
    with open(out, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">\n')
        file.write(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n' + "\n".join(shapes) + "\n</svg>\n")


if __name__ == "__main__":
    main()
