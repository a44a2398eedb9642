# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the coordinator right before and right after every single commit of a run, of the workers before and after every
evaluation (failpoints: the programs kill themselves there), and at 200 random moments; the real coordinator, real network and real
database, workers that answer by arithmetic. Started again, each run ends with the database of an undisturbed one (DESIGN.md section 8,
invariants 1 and 2). Usage: kill_points.py BIN_FOLDER [KILLS [SEED]]"""
import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fake_run  # noqa: E402
import run  # noqa: E402

BIN = sys.argv[1]
WANTED = {f"{side} {what}" for side in ("before", "after") for what in ("experiment", "epoch", "worker", "stage", "shard", "finish")}


def points_of_a_run(config: pathlib.Path, folder: pathlib.Path) -> collections.Counter:
    """How often an undisturbed run passes each point. The workers pass theirs in processes of their own."""
    trace = folder / "trace"
    fake_run.run_to_end(BIN, config, folder / "undisturbed.db", HETEROSIS_FAILPOINT_TRACE=str(trace))
    return collections.Counter(trace.read_text().splitlines())


def fresh(folder: pathlib.Path, name: str) -> pathlib.Path:
    for file in folder.glob(f"{name}.db*"):
        file.unlink()
    return folder / f"{name}.db"


def killed_at(config: pathlib.Path, folder: pathlib.Path, point: str, number: int, expected: dict) -> None:
    db = fresh(folder, "point")
    process = fake_run.start(BIN, config, db, HETEROSIS_FAILPOINT=f"{point}#{number}")
    status = process.wait(timeout=600)
    assert status == -signal.SIGKILL, f"{point}#{number}: exit status {status} instead of a kill:\n{fake_run.log_of(db)}"
    fake_run.run_to_end(BIN, config, db)
    run.assert_same(expected, run.contents(db), f"the run killed at {point}#{number}")


def worker_killed_at(config: pathlib.Path, folder: pathlib.Path, point: str, number: int, expected: dict) -> None:
    """Every worker dies at its N-th evaluation. Both are given up in the end, or the search has ended before."""
    db = fresh(folder, "worker")
    process = fake_run.start(BIN, config, db, HETEROSIS_FAILPOINT=f"{point}#{number}")
    status = process.wait(timeout=600)
    assert status in (0, 1), f"{point}#{number}: exit status {status}:\n{fake_run.log_of(db)}"
    assert "ended by signal 9" in fake_run.log_of(db), f"{point}#{number}: no worker died"
    fake_run.run_to_end(BIN, config, db)
    run.assert_same(expected, run.contents(db), f"the run whose workers died at {point}#{number}")


def random_run(config: pathlib.Path, db: pathlib.Path, dice: random.Random, kills_wanted: int, span_s: float) -> collections.Counter:
    """Runs to the end through up to `kills_wanted` kills; returns the victims."""
    victims = collections.Counter()
    process = fake_run.start(BIN, config, db, delay_ms=dice.choice([0, 2, 10]))
    while True:
        if victims.total() < kills_wanted:
            try:
                process.wait(timeout=dice.uniform(0, span_s))
            except subprocess.TimeoutExpired:
                victim = dice.choice(["coordinator", "worker", "both"])
                run.kill_some(process, victim, dice)
                victims[victim] += 1
        else:
            process.wait(timeout=600)
        if process.poll() is None:
            continue
        if process.returncode == 0:
            return victims
        # Workers that are killed five times within ten seconds are given up, and with the last one the run.
        given_up = process.returncode == 1 and "died 5 times" in fake_run.log_of(db)
        # A worker that a killed coordinator was just starting holds its lock until it runs: three seconds are waited for it, which a
        # machine may take that does something else.
        given_up = given_up or (process.returncode == 2 and "another coordinator is running" in fake_run.log_of(db))
        assert given_up or process.returncode == -signal.SIGKILL, f"exit status {process.returncode}:\n{fake_run.log_of(db)}"
        process = fake_run.start(BIN, config, db, delay_ms=dice.choice([0, 2, 10]))


def random_kills(config: pathlib.Path, folder: pathlib.Path, dice: random.Random, kills_wanted: int, span_s: float, expected: dict) -> None:
    victims, runs = collections.Counter(), 0
    while victims.total() < kills_wanted:
        db = folder / f"random{runs}.db"
        victims += random_run(config, db, dice, min(20, kills_wanted - victims.total()), span_s)
        run.assert_same(expected, run.contents(db), f"run {runs} with random kills")
        runs += 1
    print(f"{victims.total()} random kills {dict(victims)} in {runs} runs: every database is the same", flush=True)


def main() -> None:
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:
        folder = pathlib.Path(name)
        config = fake_run.write_inputs(folder)
        started = time.monotonic()
        points = points_of_a_run(config, folder)
        span_s = time.monotonic() - started
        assert WANTED <= set(points), f"not passed: {WANTED - set(points)}"
        expected = run.contents(folder / "undisturbed.db")
        assert expected["experiment"][0][3] == "done"

        total = 0
        for point, count in sorted(points.items()):
            if point.endswith(" evaluate"):
                continue
            # How many workers have joined when a run is killed depends on the moment; all else comes in every run.
            for number in range(1, count + 1 if not point.endswith(" worker") else 2):
                killed_at(config, folder, point, number, expected)
                total += 1
        print(f"{total} commit points {dict(points)}: killed at each, every database is the same", flush=True)
        for point in ("before evaluate", "after evaluate"):
            for number in (1, 2, 5):
                worker_killed_at(config, folder, point, number, expected)
        print("6 points of the workers: the same", flush=True)
        random_kills(config, folder, random.Random(seed), kills, span_s, expected)
        print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
