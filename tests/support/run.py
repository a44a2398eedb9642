# SPDX-License-Identifier: Apache-2.0
"""Runs the real programs for the integration and fault tests: a small experiment on the demo's models, and what it left behind."""
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy" / "demo"
SANITIZED = bool(os.environ.get("HETEROSIS_SANITIZE"))  # whose shadow and quarantine are no memory of ours to judge

# A search small enough for CI; everything else is the demo's.
CONFIG = """
name: fault-test
seed: 7
base: base
models:
  - {{name: base, path: {demo}/models/base}}
  - {{name: ja, path: {demo}/models/ja}}
  - {{name: math, path: {demo}/models/math}}
data:
  search: {{path: {demo}/data/search.jsonl, rows: ":40"}}
  validation: {{path: {demo}/data/validation.jsonl, rows: ":40"}}
  test: {{path: {demo}/data/test.jsonl, rows: ":40"}}
task:
  prompt: {{text: "{prompt}"}}
  decoding: {{max_new_tokens: 40, repetition_window: 24}}
  language: {{expect: ja}}
phases:
  - name: ps
    merge: {{method: task_arithmetic, granularity: layer, weight: [0, 2], out_dtype: float32}}
    optimizer: {{population: 6}}
    budget: {{generations: {generations}}}
    samples: {{per_generation: 30}}
    selection: {{top: 3}}
evaluation: {{dtype: float32, batch_size: 16, shard_size: 10}}
scheduling: {{lease_seconds: 5}}
"""


# A second phase: paths through the first one's winner and the Japanese expert.
PATH_PHASE = """
  - name: dfs
    space: dfs
    path: {sources: [{phase: ps}, {model: ja}], repeats: 2, scales: slot, max_hops: 12, out_dtype: float32}
    optimizer: {population: 6}
    budget: {generations: 2}
    samples: {per_generation: 30}
    selection: {top: 3}
"""


def demo_prompt() -> str:
    """The prompt template of the demo's config, as YAML writes it between double quotes."""
    return re.search(r'text:\s*"((?:[^"\\]|\\.)*)"', (DEMO / "ps.yaml").read_text()).group(1)


def write_config(folder: pathlib.Path, generations: int = 4, name: str = "config.yaml", both_spaces: bool = False) -> pathlib.Path:
    path = folder / name
    text = CONFIG.format(demo=DEMO, prompt=demo_prompt(), generations=generations)
    if both_spaces:
        text = text.replace("\nevaluation:", PATH_PHASE + "evaluation:")
    path.write_text(text)
    return path


def changed(config: pathlib.Path, name: str, old: str, new: str) -> pathlib.Path:
    """A config beside `config` that says `new` where that one says `old`."""
    text = config.read_text()
    assert old in text, old
    path = config.with_name(name)
    path.write_text(text.replace(old, new))
    return path


# Of the workers that a test kills while nobody takes their results; not the user's own.
STATE = tempfile.TemporaryDirectory(prefix="heterosis-state-")


def environment(**more: str) -> dict:
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "XDG_STATE_HOME": STATE.name, **more}


def start_coordinator(bin_folder: str, config: pathlib.Path, db: pathlib.Path, workers: int) -> subprocess.Popen:
    command = [f"{bin_folder}/coordinator", "--config", str(config), "--db", str(db), "--local-workers", str(workers)]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command: list, **more: str) -> subprocess.Popen:
    """Both outputs in one pipe; `more` is for its environment."""
    return subprocess.Popen([str(word) for word in command], env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True)


def start_worker(bin_folder: str, address: str, name: str, *options: object, **more: str) -> subprocess.Popen:
    return start([f"{bin_folder}/worker", "--cpu", "--threads", 1, "--coordinator", address, "--models-dir", DEMO / "models", "--name", name,
                  *options], **more)


def ends_well(process: subprocess.Popen, timeout_s: float = 600) -> str:
    """The program's output; it must end by itself, in order."""
    output, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, f"exit status {process.returncode}:\n{output}"
    return output


def query(db: pathlib.Path, sql: str, *arguments: object) -> list:
    """The rows; none where the database or the table is not there yet."""
    try:
        connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
        try:
            return connection.execute(sql, arguments).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return []


def shards_done(db: pathlib.Path) -> int:
    return len(query(db, "SELECT 1 FROM shards WHERE state = 'done'"))


def wait_until(condition, what: str, timeout_s: float = 300) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {timeout_s:.0f} s"
        time.sleep(0.02)


def shard_at_gate(gate: pathlib.Path) -> tuple[int, int]:
    """Waits for the first shard that is done and held back (tests/fault/faulty_evaluation.cc); its trial and number."""
    def told() -> list:
        return [match for path in gate.parent.iterdir() if (match := re.fullmatch(re.escape(gate.name) + r"\.(\d+)\.(\d+)", path.name))]
    wait_until(told, "a finished shard")
    [match] = told()
    return int(match[1]), int(match[2])


def children(pid: int) -> list[int]:
    output = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in output.split()]


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it had just ended by itself


def kill_some(coordinator: subprocess.Popen, victim: str, dice: random.Random) -> None:
    """`victim`: "coordinator", "worker" (one of its own, by chance) or "both"."""
    workers = children(coordinator.pid)
    if victim != "coordinator" and workers:
        kill(dice.choice(workers))
    if victim != "worker":
        kill(coordinator.pid)
        coordinator.wait()


def run_to_end(bin_folder: str, config: pathlib.Path, db: pathlib.Path, workers: int, timeout_s: float = 300) -> str:
    process = start_coordinator(bin_folder, config, db, workers)
    output, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, f"coordinator exited with {process.returncode}:\n{output}"
    return output


def best(bin_folder: str, db: pathlib.Path, top: int = 1000) -> dict:
    command = [f"{bin_folder}/coordinator", "best", "--db", str(db), "--top", str(top), "--format", "json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def contents(db: pathlib.Path) -> dict:
    """All that a search has found out, without times, attempts and worker names: equal for equal searches."""
    queries = {
        "experiment": "SELECT name, config, seed, state, error FROM experiment",
        "stages": "SELECT stage, kind, phase, generation, state FROM stages ORDER BY stage",
        "generations": "SELECT phase, generation, sample_set, sigma, snapshot FROM generations ORDER BY phase, generation",
        "genomes": "SELECT * FROM genomes ORDER BY genome",
        "trials": "SELECT trial, stage, genome, purpose, split, sample_set, shards, same_as, state, correct, total, score, failure"
                  " FROM trials ORDER BY trial",
        "shards": "SELECT trial, shard, state FROM shards ORDER BY trial, shard",
        "results": "SELECT * FROM results ORDER BY trial, sample",
    }
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    try:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}
    finally:
        connection.close()


def assert_same(expected: dict, actual: dict, what: str) -> None:
    for table, rows in expected.items():
        if rows == actual[table]:
            continue
        assert len(rows) == len(actual[table]), f"{what}: table {table} has {len(actual[table])} rows instead of {len(rows)}"
        wanted, got = next(pair for pair in zip(rows, actual[table]) if pair[0] != pair[1])
        raise AssertionError(f"{what}: table {table} differs:\n  expected {wanted}\n  got      {got}")
