# SPDX-License-Identifier: Apache-2.0
"""1, 2 and 3 workers search the same trajectory (DESIGN.md section 8, invariant 3), and a finished run, started again, changes
nothing. Usage: worker_counts.py BIN_FOLDER"""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402


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
        print(f"same trajectory with 1, 2 and 3 workers: {len(expected['trials'])} trials, {len(expected['results'])} answers")


if __name__ == "__main__":
    main()
