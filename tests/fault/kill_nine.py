# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the coordinator, of a worker, or of both, 20 times at random moments of real runs: started again, each run ends with
the same database as an undisturbed one (DESIGN.md section 8, invariant 2); two thirds of the kills in parameter space alone, one
third over both spaces in sequence. Usage: kill_nine.py BIN_FOLDER [KILLS [SEED]]"""
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

WORKERS = 2


def kill_something(process: subprocess.Popen, dice: random.Random) -> str:
    victim = dice.choice(["coordinator", "worker", "both"])
    run.kill_some(process, victim, dice)
    return victim


def disturbed_run(bin_folder: str, config: pathlib.Path, db: pathlib.Path, dice: random.Random, kills_wanted: int, span_s: float) -> int:
    """Runs to the end through up to `kills_wanted` kills; returns how many there were."""
    kills = 0
    for _ in range(10 * (kills_wanted + 1)):
        process = run.start_coordinator(bin_folder, config, db, WORKERS)
        end = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < end:
            if kills < kills_wanted:
                time.sleep(dice.uniform(0.05, span_s))
                if process.poll() is None:
                    print(f"  killed: {kill_something(process, dice)}", flush=True)
                    kills += 1
            else:
                time.sleep(0.05)
        output = process.stdout.read()
        if process.returncode == 0:
            return kills
        assert process.returncode == -signal.SIGKILL, f"exit status {process.returncode}:\n{output}"
    raise AssertionError("the run never came to its end")


def kill_runs(bin_folder: str, folder: pathlib.Path, dice: random.Random, seed: int, kills_wanted: int, both_spaces: bool) -> None:
    """Kills runs of one experiment until there were enough kills, and compares each with an undisturbed run."""
    folder.mkdir()
    config = run.write_config(folder, generations=2 if both_spaces else 4, both_spaces=both_spaces)
    started = time.monotonic()
    run.run_to_end(bin_folder, config, folder / "undisturbed.db", WORKERS)
    undisturbed_s = time.monotonic() - started
    expected = run.contents(folder / "undisturbed.db")
    kills, runs = 0, 0
    while kills < kills_wanted:
        db = folder / f"disturbed{runs}.db"
        kills += disturbed_run(bin_folder, config, db, dice, min(5, kills_wanted - kills), undisturbed_s / 2)
        run.assert_same(expected, run.contents(db), f"{folder.name}, run {runs} (seed {seed})")
        runs += 1
    print(f"{folder.name}: {kills} kills in {runs} runs (an undisturbed one takes {undisturbed_s:.1f} s): every database is the same")


def main() -> None:
    bin_folder = sys.argv[1]
    kills_wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        kill_runs(bin_folder, folder / "ps", dice, seed, (2 * kills_wanted + 2) // 3, both_spaces=False)
        kill_runs(bin_folder, folder / "both", dice, seed, kills_wanted // 3, both_spaces=True)


if __name__ == "__main__":
    main()
