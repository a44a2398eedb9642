# SPDX-License-Identifier: Apache-2.0
"""How workers end, and what the run makes of it: a local worker that is stopped or killed is replaced at once and its shard done
again, idle workers do not hold up the coordinator's end, workers that dialled in by themselves hear that the experiment is finished.
Usage: worker_ends.py BIN_FOLDER"""
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

BIN = sys.argv[1]


def count(db: pathlib.Path, table: str) -> int:
    try:
        connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
        try:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return 0  # not yet created


def wait_for(db: pathlib.Path, table: str, wanted: int) -> None:
    end = time.monotonic() + 60
    while count(db, table) < wanted:
        assert time.monotonic() < end, f"not {wanted} rows in {table} after a minute"
        time.sleep(0.02)


def the_only_worker_ends(config: pathlib.Path, db: pathlib.Path, signal_number: int, expected: dict) -> None:
    """Nobody else is there to do its shard, and its lease would last for longer than this test."""
    process = run.start_coordinator(BIN, config, db, 1)
    wait_for(db, "results", 100)
    [worker] = run.children(process.pid)
    start = time.monotonic()
    os.kill(worker, signal_number)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    run.assert_same(expected, run.contents(db), f"the run whose worker got signal {signal_number}")
    print(f"signal {signal_number} to the only local worker: the run ended {time.monotonic() - start:.1f} s later as an undisturbed one")


def idle_workers_are_stopped_in_order(config: pathlib.Path, db: pathlib.Path) -> None:
    """A generation of few shards: most of 9 workers wait in lease calls when the signal comes."""
    process = run.start_coordinator(BIN, config, db, 9)
    wait_for(db, "workers", 9)
    time.sleep(0.3)  # from the registration to the lease call
    process.send_signal(signal.SIGTERM)
    start = time.monotonic()
    output, _ = process.communicate(timeout=30)
    seconds = time.monotonic() - start
    assert process.returncode == 0, output
    assert "goes on from there" in output, output
    assert "did not end within" not in output, output  # no SIGKILL was needed
    print(f"SIGTERM with an idle worker: exit 0 after {seconds:.2f} s")


def listen(config: pathlib.Path, db: pathlib.Path, *arguments: object) -> tuple[subprocess.Popen, str]:
    address = f"127.0.0.1:{run.free_port()}"
    return run.start([f"{BIN}/coordinator", "--config", config, "--db", db, "--listen", address, *arguments]), address


def hears_the_end(process: subprocess.Popen) -> str:
    """The program's output; it must end by itself, in order."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def run_with_remote_workers(config: pathlib.Path, db: pathlib.Path, workers_wanted: int, *arguments: object) -> str:
    """The coordinator's output. All workers must hear the end."""
    coordinator, address = listen(config, db, *arguments)
    workers = [run.start_worker(BIN, address, f"remote-{i}") for i in range(workers_wanted)]
    try:
        coordinators_output = hears_the_end(coordinator)
        for worker in workers:
            output = hears_the_end(worker)
            assert "the experiment is finished" in output, output
        return coordinators_output
    finally:
        for process in [coordinator, *workers]:
            process.kill()


def a_silent_worker_is_named(config: pathlib.Path, folder: pathlib.Path, expected: dict) -> None:
    """A lone worker is frozen in the midst of the run, and another one comes. Between a report and the next lease call a worker
    holds no shard and is not missed: where the freeze fell there, it is tried again."""
    for i in range(10):
        db = folder / f"silent{i}.db"
        coordinator, address = listen(config, db)
        frozen, other = run.start_worker(BIN, address, "remote-0"), None
        try:
            wait_for(db, "results", 100)
            frozen.send_signal(signal.SIGSTOP)
            other = run.start_worker(BIN, address, "remote-1")
            output = hears_the_end(coordinator)
            assert "the experiment is finished" in hears_the_end(other)
        finally:
            for process in [coordinator, frozen, other]:
                if process is not None:
                    process.kill()
        silent = run.contents(db)
        run.assert_same({**expected, "experiment": silent["experiment"]}, silent, "the run with a silent worker")  # the config tells the lease
        if "worker remote-0 was silent" in output:
            print("a silent worker is named, and its shard is done by another")
            return
    raise AssertionError("a worker frozen ten times in the midst of its work was never found silent:\n" + output)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = run.changed(run.write_config(folder, generations=2), "long_lease.yaml", "lease_seconds: 5", "lease_seconds: 600")
        run.run_to_end(BIN, config, folder / "undisturbed.db", 1)
        expected = run.contents(folder / "undisturbed.db")
        the_only_worker_ends(config, folder / "stopped.db", signal.SIGTERM, expected)
        the_only_worker_ends(config, folder / "killed.db", signal.SIGKILL, expected)
        small = run.changed(run.write_config(folder, generations=500), "small.yaml", "population: 6", "population: 2")
        idle_workers_are_stopped_in_order(run.changed(small, "smaller.yaml", "shard_size: 10", "shard_size: 40"), folder / "idle.db")
        short = run.changed(run.write_config(folder, generations=1), "short.yaml", 'rows: ":40"', 'rows: ":10"')
        short = run.changed(short, "shorter.yaml", "per_generation: 30", "per_generation: 10")
        for i in range(4):
            run_with_remote_workers(short, folder / f"remote{i}.db", 3)
        print("4 times 3 workers that dialled in by themselves: all heard the end")
        a_silent_worker_is_named(run.changed(config, "short_lease.yaml", "lease_seconds: 600", "lease_seconds: 1"), folder, expected)
        output = run_with_remote_workers(run.write_config(folder, generations=10 if run.SANITIZED else 50), folder / "carried.db", 1, "--local-workers", 1,
                                         "--worker-program", "/bin/false")
        assert "the run goes on without local workers" in output, output
        print("a run goes on where only its local workers have failed")


if __name__ == "__main__":
    main()
