# SPDX-License-Identifier: Apache-2.0
"""Attacks on a coordinator that may open 1,024 files, once without TLS and once with mutual TLS: after each a real worker is still
served, a new connection is answered, and memory has stayed bounded. The attackers come from 127.0.0.2. Usage: attacks.py BIN_FOLDER"""
import contextlib
import pathlib
import random
import resource
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import http2  # noqa: E402
import run  # noqa: E402

BIN = sys.argv[1]
FILES_MAX = 1024
# Measured: up to 620, of eight floods at once on a loaded machine, where cutting comes late. Without the limits eight gigabytes would be
# taken in, and gRPC keeps more than twice of what it is sent.
MEMORY_GROWTH_MAX_MIB = 1500
PATIENCE_S = 120  # of a slow machine; everything is over in a few seconds


def wait_until(condition, what: str):
    end = time.monotonic() + PATIENCE_S
    while not (result := condition()):
        assert time.monotonic() < end, f"{what}: not after {PATIENCE_S} s"
        time.sleep(0.1)
    return result


class Target:
    """A coordinator with one real worker, and the ways to it."""

    def __init__(self, folder: pathlib.Path, keys: pathlib.Path, tls: bool):
        self.name = "mutual TLS" if tls else "no TLS"
        self.tls, self.keys, self.db, self.port = tls, keys, folder / f"{'tls' if tls else 'plain'}.db", run.free_port()
        self.log = self.db.with_suffix(".log")
        config = run.write_config(folder, generations=1_000_000)  # it must not end before the attacks do
        secure = ["--tls-cert", keys / "coordinator.pem", "--tls-key", keys / "coordinator.key", "--tls-client-ca", keys / "ca.pem"]
        self.coordinator = self.start(
            ["coordinator", "--config", config, "--db", self.db, "--listen", f"127.0.0.1:{self.port}", "--token-file", keys / "tokens",
             *(secure if tls else [])], limit_files=True)
        self.worker = self.start(self.worker_command("worker"))
        wait_until(lambda: self.results() > 0, "the first results")

    def start(self, command: list, limit_files: bool = False) -> subprocess.Popen:
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))) if limit_files else None
        with open(self.log, "a", encoding="utf-8") as log:
            return subprocess.Popen([f"{BIN}/{command[0]}", *map(str, command[1:])], env=run.environment(), stdout=log, stderr=log, preexec_fn=limit)

    def way_in(self, role: str) -> list:
        secure = ["--tls-ca", self.keys / "ca.pem", "--tls-cert", self.keys / "worker.pem", "--tls-key", self.keys / "worker.key"]
        return [*(secure if self.tls else []), *(["--token-file", self.keys / f"{role}.token"] if role else [])]

    def worker_command(self, role: str) -> list:
        return ["worker", "--cpu", "--threads", "1", "--coordinator", f"127.0.0.1:{self.port}", "--models-dir", run.DEMO / "models",
                *self.way_in(role)]

    def ask(self, command: str, role: str) -> subprocess.CompletedProcess:
        arguments = [f"{BIN}/coordinator", command, "--connect", f"127.0.0.1:{self.port}", *map(str, self.way_in(role))]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE_S)

    def count(self, table: str) -> int:
        connection = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)
        try:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        finally:
            connection.close()

    def results(self) -> int:
        try:
            return self.count("results")
        except sqlite3.OperationalError:
            return 0  # not yet created

    def memory_mib(self, field: str) -> int:
        status = pathlib.Path(f"/proc/{self.coordinator.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) // 1024

    def forget_peak(self) -> None:
        pathlib.Path(f"/proc/{self.coordinator.pid}/clear_refs").write_text("5")

    def raw(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S, source_address=("127.0.0.2", 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def connect(self, certificate: bool = True) -> socket.socket:
        """As far as an attacker with our certificate gets: HTTP/2 may begin."""
        if not self.tls:
            return self.raw()
        context = ssl.create_default_context(cafile=self.keys / "ca.pem")
        context.set_alpn_protocols(["h2"])
        if certificate:
            context.load_cert_chain(self.keys / "worker.pem", self.keys / "worker.key")
        return context.wrap_socket(self.raw(), server_hostname="localhost")

    def assert_serves(self, when: str) -> None:
        assert self.coordinator.poll() is None, f"{when}: the coordinator has ended:\n{self.log.read_text()}"
        assert self.worker.poll() is None, f"{when}: the worker has ended:\n{self.log.read_text()}"
        before = self.results()
        wait_until(lambda: self.ask("progress", "reader").returncode == 0, f"{self.name}, {when}: an answer to a new connection")
        wait_until(lambda: self.results() > before, f"{self.name}, {when}: results of the worker")


def closed(connection: socket.socket) -> bool:
    """Whether the server has closed it; reads what it said before."""
    connection.settimeout(0.01)
    try:
        while connection.recv(65536):
            pass
    except (TimeoutError, ssl.SSLWantReadError):
        return False
    except OSError:
        pass
    return True


def close_all(connections: list) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.close()


def open_many(way, count: int) -> list:
    """Those of `count` connections that are let in: the surplus is reset, some of it while it still dials."""
    connections = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            connections.append(way())
    assert connections, "none was let in"
    return connections


def try_to_send(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def idle_connections(target: Target) -> str:
    connections = open_many(target.raw, 1500)
    target.assert_serves("while 1,500 idle connections are open")
    wait_until(lambda: all(map(closed, connections)), "the end of idle connections")
    close_all(connections)
    return "1,500 idle connections: all closed by the coordinator"


def silence_after_the_greeting(target: Target) -> str:
    connections = open_many(target.connect, 100)
    for connection in connections:
        try_to_send(connection, http2.GREETING)
    wait_until(lambda: all(map(closed, connections)), "the end of silent connections")
    close_all(connections)
    return "100 connections silent after the greeting: all closed by the coordinator"


def drip(connections: list, data: bytes) -> None:
    """A byte at a time, until every one of them is closed."""
    end = time.monotonic() + PATIENCE_S
    while not all([closed(connection) for connection in connections]):
        assert time.monotonic() < end, "slow connections are still open"
        for connection in connections:
            try_to_send(connection, data[:1])
        data = data[1:] or b"x"
        time.sleep(0.2)


def slow_loris(target: Target) -> str:
    first = open_many(target.raw, 50)
    drip(first, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) if target.tls else http2.PREFACE)
    second = open_many(target.connect, 50)
    for connection in second:
        try_to_send(connection, http2.GREETING)
    drip(second, http2.frame(http2.HEADERS, 0, 1, bytes(16000)))
    close_all(first + second)
    return "slow-loris in the handshake and in a header: all closed by the coordinator"


def five_megabytes(target: Target) -> str:
    ends = []
    for path in ("/heterosis.v1.WorkerService/Register", "/heterosis.v1.WorkerService/Report", "/nowhere/Nothing"):
        for _ in range(10):
            [connection] = open_many(target.connect, 1)
            with connection:
                ends.append(http2.send_request(connection, path, b"\x1a\x80\x80\xc0\x02" + b"x" * (5 << 20)))
    return f"30 messages of 5 MB without a token: {', '.join(f'{ends.count(end)} {end}' for end in sorted(set(ends)))}"


def endless_headers(target: Target, certificate: bool = True) -> str:
    """One huge header, and many small ones, from eight connections at once, each until it is cut or has sent a gigabyte."""
    huge = b"\x00" + http2.length(1) + b"x" + http2.length(1 << 30)
    small = http2.header("x" * 10, "y" * 100) * 140
    sent = []

    def flood(block: bytes, more: bytes) -> None:
        total = 0
        with contextlib.suppress(OSError), target.connect(certificate) as connection:
            connection.sendall(http2.GREETING + http2.frame(http2.HEADERS, 0, 1, http2.request_headers("/x/Y") + block))
            piece = http2.frame(http2.CONTINUATION, 0, 1, more) * 16
            while total < 1 << 30:
                connection.sendall(piece)
                total += len(piece)
        sent.append(total)

    threads = [threading.Thread(target=flood, args=block) for block in [(huge, b"y" * 16000), (b"", small)] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    megabytes = max(sent) >> 20
    limit = 400 if certificate else 20  # the coordinator cuts at 40 MiB, after what was on the way; nobody reads what a stranger sends
    assert megabytes < limit, f"{target.name}: an endless header of {megabytes} MiB was taken"
    return f"endless header blocks{'' if certificate else ' without a certificate'}: cut after {megabytes} MiB at most"


def garbage(target: Target) -> str:
    source = random.Random(5)
    for i in range(300):
        with contextlib.suppress(OSError), (target.connect() if i % 2 else target.raw()) as connection:
            data = source.randbytes(source.randrange(1, 65536))
            connection.sendall(http2.GREETING + data if i % 4 == 1 else data)
    for _ in range(200):  # frames of every kind with wrong contents
        with contextlib.suppress(OSError), target.connect() as connection:
            frames = (http2.frame(source.randrange(12), source.randrange(256), source.randrange(4), source.randbytes(source.randrange(64)))
                      for _ in range(20))
            connection.sendall(http2.GREETING + b"".join(frames))
    return "garbage bytes and frames, 500 connections"


def strangers(target: Target) -> str:
    """Real workers without what they need end with the reason; a client without a certificate is not heard."""
    for role, reason in (("", "a token is needed here"), ("reader", "a token of the role worker"), ("admin", "a token of the role worker")):
        done = subprocess.run([f"{BIN}/worker", *map(str, target.worker_command(role)[1:])], env=run.environment(), capture_output=True,
                              text=True, timeout=PATIENCE_S)
        assert done.returncode != 0 and reason in done.stderr, done.stderr
    assert target.ask("stop", "reader").returncode != 0
    assert target.count("workers") == 1, "a stranger was registered"
    if not target.tls:
        return "workers without a token, or with another role's"
    return "workers without a token, or with another role's; " + endless_headers(target, certificate=False)


def assert_no_secret_in_logs(target: Target) -> None:
    log = target.log.read_text()
    for token in (line.split()[1] for line in (target.keys / "tokens").read_text().splitlines()):
        assert token not in log, "a token stands in the log"


def attack(target: Target) -> None:
    target.assert_serves("before any attack")
    quiet = target.memory_mib("VmRSS")
    for method in (idle_connections, silence_after_the_greeting, slow_loris, five_megabytes, endless_headers, garbage, strangers):
        target.forget_peak()
        said = method(target)
        target.assert_serves(f"after {method.__name__}")
        peak = target.memory_mib("VmHWM")
        print(f"{target.name}: {said}; memory {quiet} MiB before, {peak} MiB at most", flush=True)
        assert run.SANITIZED or peak - quiet < MEMORY_GROWTH_MAX_MIB, f"{method.__name__}: the coordinator has taken {peak} MiB"
    done = target.ask("stop", "admin")
    assert done.returncode == 0, done.stderr
    assert target.coordinator.wait(timeout=PATIENCE_S) == 0, target.log.read_text()
    assert_no_secret_in_logs(target)


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([run.ROOT / "deploy" / "tls", "--out", folder / "keys", "localhost"], check=True, capture_output=True)
        for tls in (False, True):
            target = Target(folder, folder / "keys", tls)
            try:
                attack(target)
            finally:
                for process in (target.worker, target.coordinator):
                    process.kill()
                    process.wait()


main()
