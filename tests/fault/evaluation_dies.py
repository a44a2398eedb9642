# SPDX-License-Identifier: Apache-2.0
"""The evaluation child dies, hangs or is killed, and its worker lives: a recipe that takes down every evaluation fails and ranks last, a
child that is killed, stopped or orphaned costs one attempt at most, and the run ends as an undisturbed one.
Usage: evaluation_dies.py BIN_FOLDER FAULTY_EVALUATION"""
import os
import pathlib
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

BIN, FAULTY = sys.argv[1:3]


def answers(db: pathlib.Path) -> int:
    return sum(row[0] for row in run.query(db, "SELECT count(*) FROM results"))


def failures(db: pathlib.Path) -> list:
    """(trial, class, message, session of the worker) of each."""
    return run.query(db, "SELECT trial, class, message, worker FROM failures ORDER BY failure")


class Run:
    """A coordinator and workers that dialled in; what still runs is killed at the end."""

    def __init__(self, config: pathlib.Path, db: pathlib.Path, workers: int, *options: object, **environment: str):
        self.db, self.address = db, f"127.0.0.1:{run.free_port()}"
        self.coordinator = run.start([f"{BIN}/coordinator", "--config", config, "--db", db, "--listen", self.address])
        self.workers = []
        for _ in range(workers):
            self.add_worker(*options, **environment)

    def add_worker(self, *options: object, **environment: str) -> None:
        name = f"remote-{len(self.workers)}"
        self.workers.append(run.start_worker(BIN, self.address, name, *options, **environment))

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        for process in [self.coordinator, *self.workers]:
            process.kill()
            process.wait()

    def wait_for_answers(self, wanted: int) -> None:
        run.wait_until(lambda: answers(self.db) >= wanted or self.coordinator.poll() is not None, f"{wanted} answers")
        assert self.coordinator.poll() is None, "the run has ended before the fault"

    def end(self) -> list[str]:
        """The outputs of the coordinator and the workers, all of which hear the end."""
        outputs = [run.ends_well(self.coordinator)]
        for worker in self.workers:
            outputs.append(run.ends_well(worker))
            assert "the experiment is finished" in outputs[-1], outputs[-1]
        return outputs


def a_poisonous_genome(config: pathlib.Path, folder: pathlib.Path, fault: str, told: str) -> None:
    """A candidate of the first generation takes down whatever evaluates it."""
    [(poisoned,)] = run.query(folder / "undisturbed.db", "SELECT t.trial FROM trials t JOIN genomes g USING (genome) WHERE t.purpose = 'search'"
                              " AND t.same_as IS NULL AND g.origin = 'sampled' ORDER BY t.trial LIMIT 1")
    ended = []
    for workers in [2, 1]:
        db = folder / f"{fault}{workers}.db"
        with Run(config, db, workers, "--evaluation-program", FAULTY, HETEROSIS_FAULT=f"{fault}:{poisoned}") as disturbed:
            outputs = disturbed.end()
        seen = failures(db)
        assert {row[:2] for row in seen} == {(poisoned, "crash")}, seen
        assert len({row[3] for row in seen}) == workers and 2 <= len(seen) <= 3, seen
        assert all(told in row[2] and "the fault that was ordered" in row[2] for row in seen), seen
        assert any(told in output for output in outputs[1:]), outputs
        failed = run.query(db, "SELECT trial, state, score FROM trials WHERE state NOT IN ('done', 'infeasible')")
        assert failed == [(poisoned, "failed", None)], failed
        ended.append(run.contents(db))
    for contents in ended:  # how often it was tried is told there
        contents["trials"] = [row[:-1] for row in contents["trials"]]
    run.assert_same(ended[0], ended[1], f"one worker and two under {fault}")
    print(f"{fault}: the trial failed after {len(seen)} attempts of one worker, or on 2; the run went on to the same end")


def a_killed_child(config: pathlib.Path, folder: pathlib.Path, expected: dict) -> None:
    db = folder / "killed_child.db"
    with Run(config, db, 1) as disturbed:
        for wanted in [60, 200]:
            disturbed.wait_for_answers(wanted)
            before = len(failures(db))
            [child] = run.children(disturbed.workers[0].pid)
            os.kill(child, signal.SIGKILL)
            # One that was idle just then is missed by the next shard: it is a failure all the same.
            run.wait_until(lambda: len(failures(db)) > before, "a failure")
        disturbed.end()
    seen = failures(db)
    # The system may have killed something for want of memory at that very time.
    assert len(seen) == 2 and all(row[1] in ("crash", "memory") and "SIGKILL (Killed)" in row[2] for row in seen), seen
    assert len({row[3] for row in seen}) == 1, "the worker lived"
    run.assert_same(expected, run.contents(db), "the run whose evaluation was killed")
    print("a child killed twice: its worker went on, the same end")


def a_stopped_child(config: pathlib.Path, folder: pathlib.Path, expected: dict) -> None:
    db = folder / "stopped_child.db"
    with Run(config, db, 1, "--hang-seconds", 10) as disturbed:
        disturbed.wait_for_answers(60)
        [child] = run.children(disturbed.workers[0].pid)
        os.kill(child, signal.SIGSTOP)
        disturbed.end()
    seen = failures(db)
    assert any(row[1] == "crash" and "made no step for 10 s" in row[2] for row in seen), seen
    run.assert_same(expected, run.contents(db), "the run whose evaluation was stopped")
    print("a child stopped for good: killed after --hang-seconds, the same end")


def gone(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def a_killed_worker_leaves_no_orphan(config: pathlib.Path, folder: pathlib.Path) -> None:
    with Run(config, folder / "orphan.db", 2) as disturbed:
        disturbed.wait_for_answers(30)
        orphans = [child for worker in disturbed.workers for child in run.children(worker.pid)]
        assert len(orphans) == 2, orphans
        os.kill(orphans[1], signal.SIGSTOP)  # also one that does nothing of itself
        for worker in disturbed.workers:
            worker.kill()
        run.wait_until(lambda: all(map(gone, orphans)), "the end of the children", 60)
    print("kill -9 of a worker: its child is gone")


def a_frozen_worker_thaws(config: pathlib.Path, folder: pathlib.Path, expected: dict) -> None:
    """Its child has finished the shard meanwhile, and so has another worker, who got the lease."""
    db, gate = folder / "thawed.db", folder / "gate"
    text = config.read_text()
    assert "lease_seconds: 5" in text
    short = config.with_name("short_lease.yaml")
    short.write_text(text.replace("lease_seconds: 5", "lease_seconds: 1"))
    with Run(short, db, 1, "--evaluation-program", FAULTY, HETEROSIS_FAULT=f"gate:{gate}") as disturbed:
        trial, shard = run.shard_at_gate(gate)
        disturbed.workers[0].send_signal(signal.SIGSTOP)
        gate.touch()
        disturbed.add_worker()
        done = "SELECT 1 FROM shards WHERE trial = ? AND shard = ? AND state = 'done'"
        run.wait_until(lambda: run.query(db, done, trial, shard), "the shard's result from another worker")
        disturbed.workers[0].send_signal(signal.SIGCONT)
        disturbed.end()
    assert {row[1] for row in failures(db)} <= {"infra"}, failures(db)
    thawed = run.contents(db)
    run.assert_same({**expected, "experiment": thawed["experiment"]}, thawed, "the run with a frozen worker")  # the config tells the lease
    print("a worker frozen, and thawed after its lease had gone to another: the shard counted once, the same end")


def a_worker_fails_its_canary(config: pathlib.Path, folder: pathlib.Path, expected: dict) -> None:
    """Two agree on it and hold their first shards back until the third, whose device is wrong, has answered."""
    db, gate = folder / "canary.db", folder / "canary_gate"
    with Run(config, db, 2, "--evaluation-program", FAULTY, HETEROSIS_FAULT=f"gate:{gate}") as disturbed:
        run.wait_until(lambda: len(run.query(db, "SELECT 1 FROM canaries WHERE outcome = 'good'")) == 2, "two good canaries")
        disturbed.add_worker("--evaluation-program", FAULTY, HETEROSIS_FAULT="canary")
        run.wait_until(lambda: run.query(db, "SELECT 1 FROM trust WHERE quarantined"), "a quarantine")
        gate.touch()
        sick = disturbed.workers.pop()
        output, _ = sick.communicate(timeout=600)
        assert sick.returncode != 0 and "quarantined: its answer to the canary differs" in output, output
        [output, *_] = disturbed.end()
        assert "worker remote-2 computes wrongly and is quarantined" in output, output
    assert run.query(db, "SELECT name FROM trust WHERE quarantined") == [("remote-2",)]
    run.assert_same(expected, run.contents(db), "the run with a sick device")
    print("a device that fails its first canary: quarantined before it got a shard, the same end")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = run.write_config(folder, generations=2)
        run.run_to_end(BIN, config, folder / "undisturbed.db", 1)
        expected = run.contents(folder / "undisturbed.db")
        a_poisonous_genome(config, folder, "abort", "SIGABRT (Aborted)")
        a_poisonous_genome(config, folder, "segv", "SIGSEGV (Segmentation fault)")
        a_killed_child(config, folder, expected)
        a_stopped_child(config, folder, expected)
        a_killed_worker_leaves_no_orphan(config, folder)
        a_frozen_worker_thaws(config, folder, expected)
        a_worker_fails_its_canary(config, folder, expected)


if __name__ == "__main__":
    main()
