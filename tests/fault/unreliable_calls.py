# SPDX-License-Identifier: Apache-2.0
"""A proxy between three workers and the coordinator (tests/support/unreliable_proxy.cc) loses calls or their answers, delivers them twice,
late (after the lease has gone to another), once more later, and out of order. Each run ends with the database of an undisturbed one and
each shard is counted once; in the last run the coordinator is killed (-9) besides. Usage: unreliable_calls.py BIN_FOLDER [RUNS [SEED]]"""
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fake_run  # noqa: E402
import run  # noqa: E402

BIN = sys.argv[1]
WORKERS = 3
HOLD_MS = 1500  # longer than the lease
FAULTS = {"none", "lost", "answer lost", "twice", "held up", "again later", "overtaken"}


class ProxiedRun:
    def __init__(self, config: pathlib.Path, db: pathlib.Path, seed: int):
        self.config, self.db, self.address = config, db, f"127.0.0.1:{run.free_port()}"
        proxy = f"127.0.0.1:{run.free_port()}"
        self.processes = []
        self.start_coordinator()
        self.proxy = self.start(f"{db}.proxy", f"{BIN}/unreliable_proxy", "--listen", proxy, "--coordinator", self.address,
                                "--seed", seed, "--hold-ms", HOLD_MS)
        self.workers = [self.start(f"{db}.worker.log", f"{BIN}/fake_worker", "--coordinator", proxy, "--name", f"worker-{i}",
                                   *fake_run.model_options(config))
                        for i in range(WORKERS)]

    def start(self, output: str, *command: object) -> subprocess.Popen:
        with open(output, "ab") as log:
            process = subprocess.Popen([str(word) for word in command], env=run.environment(FAKE_WORKER_DELAY_MS="20"),
                                       stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def start_coordinator(self) -> None:
        self.coordinator = self.start(f"{self.db}.log", f"{BIN}/coordinator", "--config", self.config, "--db", self.db,
                                      "--listen", self.address)

    def end(self, expected: dict, what: str) -> tuple[dict, int]:
        """What the proxy tells; and how many leases were lost."""
        status = self.coordinator.wait(timeout=120)
        assert status == 0, f"{what}: coordinator exited with {status}:\n{fake_run.log_of(self.db)}"
        run.assert_same(expected, run.contents(self.db), what)
        self.proxy.terminate()
        assert self.proxy.wait(timeout=60) == 0, what
        told = json.loads(pathlib.Path(f"{self.db}.proxy").read_text().splitlines()[-1])
        return told, fake_run.log_of(self.db).count("was silent for too long")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def each_shard_counts_once(config: pathlib.Path, folder: pathlib.Path, dice: random.Random, runs: int) -> None:
    """No audits: what the coordinator accepts are shards, and each is accepted once."""
    config = run.changed(config, "no_audits.yaml", "scheduling: {", "scheduling: {replication: never, ")
    expected = fake_run.undisturbed(BIN, config, config.with_suffix(".undisturbed.db"))
    shards = len(expected["shards"])
    faults: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    refused = reordered = lost = 0
    for i in range(runs):
        with ProxiedRun(config, folder / f"run{i}.db", dice.randrange(1 << 32)) as disturbed:
            told, lost_leases = disturbed.end(expected, f"run {i}")
        assert told["accepted"] == shards, f"run {i}: {told['accepted']} results were counted, of {shards} shards"
        for call, counts in told["calls"].items():
            faults[call].update(counts)
        refused, reordered, lost = refused + told["refused"], reordered + told["reordered"], lost + lost_leases
    for call, counts in faults.items():
        print(f"{call}: {dict(counts)}")
    assert set(faults["report"]) == set(faults["lease"]) == FAULTS, "a fault was never tried"
    assert min(refused, reordered, lost) > 0, f"refused {refused}, reordered {reordered}, leases lost {lost}: nothing was tried"
    print(f"{runs} runs of {shards} shards: {refused} results came again, {reordered} out of order, {lost} leases were lost; "
          "each shard counted once, every database the same", flush=True)


def with_audits_and_a_killed_coordinator(config: pathlib.Path, folder: pathlib.Path, dice: random.Random) -> None:
    expected = fake_run.undisturbed(BIN, config, config.with_suffix(".undisturbed.db"))
    with ProxiedRun(config, folder / "killed.db", dice.randrange(1 << 32)) as disturbed:
        for done in sorted(dice.sample(range(1, len(expected["shards"])), 2)):
            run.wait_until(lambda: run.shards_done(disturbed.db) >= done, f"{done} shards", timeout_s=60)
            disturbed.coordinator.kill()
            disturbed.coordinator.wait()
            disturbed.start_coordinator()
        disturbed.end(expected, "the run with a killed coordinator")
    print("the same with audits and a coordinator killed twice: the same database")


def main() -> None:
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    dice, started = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = run.changed(fake_run.write_inputs(folder), "short_lease.yaml", "lease_seconds: 5", "lease_seconds: 1")
        each_shard_counts_once(config, folder, dice, runs)
        with_audits_and_a_killed_coordinator(config, folder, dice)
    print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
