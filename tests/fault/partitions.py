# SPDX-License-Identifier: Apache-2.0
"""Partitions of a real network: workers on machines of their own (network namespaces), packets to the coordinator, to the workers, or both
ways are lost. Both sides notice within 10 s; the network heals, and the run ends with the database of an undisturbed one. A worker that
is cut off loses its shard to another, and its late result counts for nothing. Usage: partitions.py BIN_FOLDER"""
import pathlib
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fake_run  # noqa: E402
import links  # noqa: E402
import run  # noqa: E402
import wired_run  # noqa: E402

BIN = sys.argv[1]
NOTICED_MAX_S = 10
AGAIN_MAX_S = 15  # from the end of the partition to the next shard; whose TLS handshakes time out is not back after a minute


def everyone_is_cut_off(config: pathlib.Path, folder: pathlib.Path, tls: pathlib.Path, machines: list, expected: dict, what: str,
                        **lost: int) -> None:
    """One worker is quick: it has a call under way, or soon. The other one computes and has none for seconds."""
    quick, slow = machines
    with wired_run.WiredRun(BIN, config, folder / f"{what.replace(' ', '_')}.db", tls, machines, delays_ms=[50, 4000]) as disturbed:
        disturbed.wait_for_shards(6)
        before, said = run.shards_done(disturbed.db), len(disturbed.log_of(quick))
        for machine in machines:
            machine.lose(**lost)
        noticed = wired_run.seconds_until({
            "the coordinator (quick worker's connection)": lambda: not links.connections(disturbed.coordinator.pid, quick.address),
            "the coordinator (slow worker's connection)": lambda: not links.connections(disturbed.coordinator.pid, slow.address),
            "the quick worker": lambda: not links.connections(disturbed.workers[0].pid, quick.here),
            "the slow worker": lambda: not links.connections(disturbed.workers[1].pid, slow.here),
            "the quick worker's log": lambda: wired_run.NO_ANSWER in disturbed.log_of(quick)[said:]}, limit_s=4 * NOTICED_MAX_S)
        print(f"{what}: noticed after {', '.join(f'{seconds:.1f} s by {who}' for who, seconds in noticed.items())}", flush=True)
        assert len(noticed) == 5 and max(noticed.values()) <= NOTICED_MAX_S, noticed
        stalled = run.shards_done(disturbed.db)
        for machine in machines:
            machine.lose(to_here=0, to_there=0)
        healed = time.monotonic()
        disturbed.wait_for_shards(stalled + 1)
        again = time.monotonic() - healed
        assert again <= AGAIN_MAX_S, f"{what}: the next shard came {again:.1f} s after the network had healed"
        disturbed.end(expected)
    print(f"{what}: {stalled - before} shards came in meanwhile, the next one {again:.1f} s after it healed; the same database", flush=True)


def one_worker_is_cut_off(config: pathlib.Path, folder: pathlib.Path, tls: pathlib.Path, machines: list, expected: dict) -> None:
    """It is alone at first, so that it is known to hold a shard; the other one comes when that is lost."""
    near, far = machines
    lost = re.compile(f"worker {far.name} was silent for too long: trial (\\d+), shard (\\d+) goes to another")
    with wired_run.WiredRun(BIN, config, folder / "one.db", tls, [far], delays_ms=[1500]) as disturbed:
        disturbed.wait_for_shards(1)
        time.sleep(0.5)  # into the next one
        far.lose(to_here=links.ALL, to_there=links.ALL)
        run.wait_until(lambda: lost.search(disturbed.log()), "the lost lease", timeout_s=60)
        trial, shard = lost.search(disturbed.log()).groups()
        disturbed.add_worker(near, delay_ms=500)
        run.wait_until(lambda: wired_run.NO_ANSWER in disturbed.log_of(far), "a try to report", timeout_s=60)
        assert disturbed.coordinator.poll() is None, "the run has ended too early for this test"
        far.lose(to_here=0, to_there=0)
        disturbed.end(expected)
        assert "the experiment is finished" in disturbed.log_of(far), disturbed.log_of(far)
    who = run.query(folder / "one.db", "SELECT name FROM shards JOIN workers USING (worker) WHERE trial = ? AND shard = ?", trial, shard)
    assert who == [(near.name,)], f"trial {trial}, shard {shard}: {who}"
    print("a worker that is cut off loses its shard to another, whose result counts, and comes back: the same database")


def main() -> None:
    links.enter_namespaces()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        machines = [links.Machine(1), links.Machine(2)]
        tls = wired_run.make_certificates(folder, machines)
        plain = fake_run.write_inputs(folder)
        # A lease that outlasts the partitions; no audits, which would wait for the slow worker.
        config = run.changed(plain, "long_lease.yaml", "lease_seconds: 5", "lease_seconds: 20, replication: never")
        short = run.changed(plain, "short_lease.yaml", "lease_seconds: 5", "lease_seconds: 1, replication: never")
        expected = fake_run.undisturbed(BIN, config, folder / "undisturbed.db")
        everyone_is_cut_off(config, folder, tls, machines, expected, "both ways lost", to_here=links.ALL, to_there=links.ALL)
        everyone_is_cut_off(config, folder, tls, machines, expected, "all to the coordinator lost", to_here=links.ALL)
        everyone_is_cut_off(config, folder, tls, machines, expected, "all to the workers lost", to_there=links.ALL)
        one_worker_is_cut_off(short, folder, tls, machines, fake_run.undisturbed(BIN, short, folder / "undisturbed_short.db"))
    print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
