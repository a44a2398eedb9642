# SPDX-License-Identifier: Apache-2.0
"""Runs over wires that lose packets at random, are slow, or are unplugged for a while: workers on machines of their own (network
namespaces), TLS and tokens as in a fleet. Each run ends with the database of an undisturbed one. Usage: bad_links.py BIN_FOLDER"""
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fake_run  # noqa: E402
import links  # noqa: E402
import wired_run  # noqa: E402

BIN = sys.argv[1]
QUESTION_BYTES = 3000  # of the problems over a slow wire: 12 kB a shard each way, which takes 0.4 s
SLOW_KBIT_PER_SECOND = 256


class Network:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.machines = [links.Machine(1), links.Machine(2)]
        self.tls = wired_run.make_certificates(folder, self.machines)

    def try_run(self, what: str, config: pathlib.Path, expected: dict, disturb, everyone_hears_the_end: bool = True) -> float:
        """`disturb` gets the run when it has begun, and may take its time. Returns how long it took in all."""
        started = time.monotonic()
        with wired_run.WiredRun(BIN, config, self.folder / f"{what.split(' (')[0].replace(' ', '_')}.db", self.tls, self.machines,
                                delays_ms=[100, 100]) as disturbed:
            disturb(disturbed)
            disturbed.end(expected, everyone_hears_the_end)
            seconds = time.monotonic() - started
            silent = disturbed.log().count("was silent for too long")
            unanswered = sum(disturbed.log_of(machine).count(wired_run.NO_ANSWER) for machine in self.machines)
        print(f"{what}: {seconds:.1f} s, no answer to {unanswered} calls, {silent} leases lost; the same database", flush=True)
        return seconds

    def lose(self, percent: int) -> None:
        for machine in self.machines:
            machine.lose(to_here=percent, to_there=percent)

    def unplug(self, seconds: float) -> None:
        for machine in self.machines:
            machine.unplug()
        time.sleep(seconds)
        for machine in self.machines:
            machine.plug_in()


def with_long_questions(config: pathlib.Path) -> pathlib.Path:
    for split in ("search", "validation", "test"):
        path = config.parent / f"{split}.jsonl"
        problems = [json.loads(line) for line in path.read_text().splitlines()]
        longer = [{**problem, "question": problem["question"].ljust(QUESTION_BYTES, "?")} for problem in problems]
        path.write_text("\n".join(map(json.dumps, longer)) + "\n")
    return config


def main() -> None:
    links.enter_namespaces()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        network = Network(pathlib.Path(name))
        small = fake_run.write_inputs(network.folder / "small")
        large = with_long_questions(fake_run.write_inputs(network.folder / "large"))
        expected = fake_run.undisturbed(BIN, small, network.folder / "undisturbed.db")
        expected_large = fake_run.undisturbed(BIN, large, network.folder / "undisturbed_large.db")

        good_s = network.try_run("a good network", small, expected, lambda _: None)
        for percent in (5, 20):
            # Whose last call is lost hears no end: the coordinator waits for it no longer than 8 s.
            network.try_run(f"{percent} of 100 packets lost each way", small, expected, lambda _: network.lose(percent),
                            everyone_hears_the_end=False)
            network.lose(0)

        def unplug_twice(disturbed: wired_run.WiredRun) -> None:
            disturbed.wait_for_shards(4)
            network.unplug(2)
            disturbed.wait_for_shards(8)
            network.unplug(12)

        network.try_run("unplugged for 2 s and for 12 s", small, expected, unplug_twice)
        for machine in network.machines:
            machine.throttle(SLOW_KBIT_PER_SECOND)
        slow_s = network.try_run(f"{SLOW_KBIT_PER_SECOND} kbit per second (12 kB a shard each way)", large, expected_large, lambda _: None)
        assert slow_s > 2 * good_s, f"{slow_s:.1f} s after {good_s:.1f} s on a good network: the wire was not slow"
    print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
