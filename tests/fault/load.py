# SPDX-License-Identifier: Apache-2.0
"""Load: 200 workers with the real session and connections of their own, who answer at once, against one coordinator. Every report that
it accepted must be in the database, no call may fail, and its memory must not grow with the number of calls.
Usage: load.py BIN_FOLDER [SECONDS [CLIENTS]]      default: 60 s, 200 clients. Prints the latencies, which are no part of the verdict."""
import bisect
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fake_run  # noqa: E402
import run  # noqa: E402

GROWTH_MAX_MIB = 48  # from a quarter of the time on; far more than an allocator's whims, far less than a leak of some 1,000 bytes a call


def write_config(folder: pathlib.Path) -> pathlib.Path:
    """A search that does not end by itself: as many shards in a generation as keep all clients busy."""
    config = fake_run.write_inputs(folder)
    text = config.read_text()
    changes = {"population: 4": "population: 400", "generations: 2": "generations: 100000", "shard_size: 4": "shard_size: 2",
               "scheduling: {": "scheduling: {replication: never, "}  # the answer of an audit is a report, too, but settles no shard
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    config.write_text(text)
    return config


def resident_mib(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def address_of(log: pathlib.Path, coordinator: subprocess.Popen) -> str:
    while coordinator.poll() is None:
        for line in log.read_text().splitlines():
            if "waiting for workers on " in line:
                return line.rsplit(" ", 1)[1]
        time.sleep(0.05)
    raise AssertionError("the coordinator has ended:\n" + log.read_text())


def watch(coordinator: subprocess.Popen, clients: subprocess.Popen, seconds: float) -> list[float]:
    """The coordinator's memory, once a second."""
    memory = []
    for _ in range(int(seconds)):
        time.sleep(1)
        assert coordinator.poll() is None and clients.poll() is None, "a program has ended by itself"
        memory.append(resident_mib(coordinator.pid))
    return memory


def quarters(connection: sqlite3.Connection) -> list[float]:
    """Shards a second in each quarter of the time."""
    times = [row[0] for row in connection.execute("SELECT finished_ms FROM shards WHERE state = 'done' ORDER BY finished_ms")]
    length = (times[-1] - times[0]) / 4
    bounds = [bisect.bisect_left(times, times[0] + length * i) for i in range(4)] + [len(times)]
    return [(after - before) / length * 1000 for before, after in zip(bounds, bounds[1:])]


def main() -> None:
    bin_folder = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    count = sys.argv[3] if len(sys.argv) > 3 else "200"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config, db, log = write_config(folder), folder / "load.db", folder / "coordinator.log"
        with open(log, "wb") as stream:
            coordinator = subprocess.Popen([f"{bin_folder}/coordinator", "--config", str(config), "--db", str(db), "--listen", "127.0.0.1:0"],
                                           stdout=stream, stderr=stream)
        clients = subprocess.Popen([f"{bin_folder}/load_clients", "--coordinator", address_of(log, coordinator), "--clients", count,
                                    *fake_run.model_options(config)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            memory = watch(coordinator, clients, seconds)
            clients.send_signal(signal.SIGTERM)
            output, errors = clients.communicate(timeout=120)
            assert clients.returncode == 0, errors[-4000:]
            coordinator.send_signal(signal.SIGTERM)
            assert coordinator.wait(timeout=120) == 0, log.read_text()[-4000:]
        finally:
            clients.kill()
            coordinator.kill()
        told = json.loads(output)
        assert not told["errors"], told["errors"]
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as connection:
            done, = connection.execute("SELECT count(*) FROM shards WHERE state = 'done'").fetchone()
            rates = quarters(connection)
            answers, wanted = connection.execute("SELECT (SELECT count(*) FROM results), sum(CASE WHEN state = 'done' THEN 2 ELSE 0 END) FROM shards").fetchone()
        assert done == told["accepted"], f"{told['accepted']} reports were accepted, {done} shards are done"
        assert answers == wanted, f"{answers} answers of {wanted}"
        growth = memory[-1] - memory[len(memory) // 4]
        for call, figures in told["calls"].items():
            print(f"{call}: {figures['calls']} calls, " + ", ".join(f"{key} {figures[key] * 1000:.1f} ms" for key in ("p50", "p95", "p99", "max")))
        print(f"{count} clients, {seconds:.0f} s: {done / seconds:.0f} shards/s (by quarters of the time: {', '.join(f'{rate:.0f}' for rate in rates)}); resident {memory[0]:.0f} MiB after 1 s, "
              f"{memory[len(memory) // 4]:.0f} after a quarter, {memory[-1]:.0f} at the end")
        assert run.SANITIZED or growth < GROWTH_MAX_MIB, f"the coordinator has grown by {growth:.0f} MiB"


if __name__ == "__main__":
    main()
