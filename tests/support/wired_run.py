# SPDX-License-Identifier: Apache-2.0
"""Runs the real coordinator here and fake workers on machines of their own (links.py), with TLS, certificates on both sides and tokens, as
a fleet does."""
import contextlib
import pathlib
import subprocess
import time

import fake_run
import links
import run

PORT = 50551  # free: the network namespace is ours
NO_ANSWER = "no answer from the coordinator"  # what a worker says


def make_certificates(folder: pathlib.Path, machines: list[links.Machine]) -> pathlib.Path:
    tls = folder / "tls"
    subprocess.run([run.ROOT / "deploy" / "tls", "--out", tls, *(machine.here for machine in machines)], check=True, capture_output=True)
    return tls


class WiredRun:
    """`delays_ms`: how long each machine's worker takes for a shard."""

    def __init__(self, bin_folder: str, config: pathlib.Path, db: pathlib.Path, tls: pathlib.Path, machines: list[links.Machine],
                 delays_ms: list[int]):
        self.db = db
        self._bin, self._config, self._tls = bin_folder, config, tls
        command = [f"{bin_folder}/coordinator", "--config", config, "--db", db, "--listen", f"0.0.0.0:{PORT}",
                   "--tls-cert", tls / "coordinator.pem", "--tls-key", tls / "coordinator.key", "--tls-client-ca", tls / "ca.pem",
                   "--token-file", tls / "tokens"]
        with open(f"{db}.log", "ab") as log:
            self.coordinator = subprocess.Popen(command, stdout=log, stderr=log)
        run.wait_until(lambda: "waiting for workers on" in self.log(), "a coordinator that listens", timeout_s=60)
        self.workers = []
        for machine, delay in zip(machines, delays_ms):
            self.add_worker(machine, delay)

    def add_worker(self, machine: links.Machine, delay_ms: int) -> None:
        tls = self._tls
        command = [f"{self._bin}/fake_worker", "--coordinator", f"{machine.here}:{PORT}", "--name", machine.name,
                   "--tls-ca", tls / "ca.pem", "--tls-cert", tls / "worker.pem", "--tls-key", tls / "worker.key",
                   "--token-file", tls / "worker.token", *fake_run.model_options(self._config)]
        self.workers.append(machine.start(command, f"{self.db}.{machine.name}.log", FAKE_WORKER_DELAY_MS=str(delay_ms)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [self.coordinator, *self.workers]:
            process.kill()
            process.wait()

    def log(self) -> str:
        return fake_run.log_of(self.db)

    def log_of(self, machine: links.Machine) -> str:
        return pathlib.Path(f"{self.db}.{machine.name}.log").read_text()

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.db.parent.glob(f"{self.db.name}*.log")))

    def wait_for_shards(self, wanted: int) -> None:
        run.wait_until(lambda: run.shards_done(self.db) >= wanted, f"{wanted} finished shards", timeout_s=60)

    def end(self, expected: dict, everyone_hears_it: bool = True) -> None:
        """The coordinator must end by itself and in order, and so must its workers; the database must be that of the undisturbed run."""
        for process in [self.coordinator, *(self.workers if everyone_hears_it else [])]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=120)
            assert process.returncode == 0, f"exit status {process.returncode} (None: it does not end) of {process.args}:\n{self.logs()}"
        run.assert_same(expected, run.contents(self.db), self.db.stem)


def seconds_until(conditions: dict, limit_s: float) -> dict[str, float]:
    """When each of the named conditions was met first; those that were not are missing."""
    start, met = time.monotonic(), {}
    while len(met) < len(conditions) and time.monotonic() - start < limit_s:
        for name, condition in conditions.items():
            if name not in met and condition():
                met[name] = time.monotonic() - start
        time.sleep(0.02)
    return met
