# SPDX-License-Identifier: Apache-2.0
"""1, 2 and 3 workers search the same trajectory (DESIGN.md section 8, invariant 3), and a finished run, started again, changes
nothing. Usage: worker_counts.py BIN_FOLDER"""
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402


def both_spaces(bin_folder: str, folder: pathlib.Path) -> None:
    """Parameter space, then paths through its winner; `show` draws the path that won."""
    config = run.write_config(folder, generations=2, name="both.yaml", both_spaces=True)
    run.run_to_end(bin_folder, config, folder / "both-1.db", 1)
    expected = run.contents(folder / "both-1.db")
    run.run_to_end(bin_folder, config, folder / "both-2.db", 2)
    run.assert_same(expected, run.contents(folder / "both-2.db"), "both spaces, 2 workers")
    chosen = next(row for row in run.best(bin_folder, folder / "both-1.db")["genomes"] if row["chosen"] and row["phase"] == "dfs")
    command = [f"{bin_folder}/coordinator", "show", "--db", str(folder / "both-1.db"), "--trial", str(chosen["trial"])]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    hops = len(chosen["recipe"]["path"])
    for wanted in (f"path of {hops} hops", "A: task_arithmetic of ja, math", "B: ja", "A00"):
        assert wanted in shown, f"no {wanted!r} in:\n{shown}"
    print(f"both spaces: the same trajectory with 1 and 2 workers, a path of {hops} hops won")


def main() -> None:
    bin_folder = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = run.write_config(folder, generations=3)
        run.run_to_end(bin_folder, config, folder / "1.db", 1)
        expected = run.contents(folder / "1.db")
        for workers in (2, 3):
            run.run_to_end(bin_folder, config, folder / f"{workers}.db", workers)
            run.assert_same(expected, run.contents(folder / f"{workers}.db"), f"{workers} workers")
        run.run_to_end(bin_folder, config, folder / "1.db", 1)
        run.assert_same(expected, run.contents(folder / "1.db"), "a finished run started again")
        both_spaces(bin_folder, folder)
        print(f"same trajectory with 1, 2 and 3 workers: {len(expected['trials'])} trials, {len(expected['results'])} answers")


if __name__ == "__main__":
    main()
