# SPDX-License-Identifier: Apache-2.0
"""Writes the task of the demo: Japanese word problems, one JSON object a line, as search, validation and test sets."""

import argparse
import json
import pathlib
import random

import problems

COUNTS = {"search": 300, "validation": 200, "test": 300}
SEED = 46


def rows(split, count):
    """Distinct problems of a split."""
    rng, seen = random.Random(f"{SEED} {split}"), {}
    while len(seen) < count:
        problem = problems.draw(rng, problems.LARGE, split)
        seen[problem.question["ja"]] = problem.result
    return [{"question": question, "answer": answer} for question, answer in seen.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "data")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for split, count in COUNTS.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows(split, count)]
        (out / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{split}: {count} problems")


if __name__ == "__main__":
    main()
