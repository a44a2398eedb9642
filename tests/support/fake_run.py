# SPDX-License-Identifier: Apache-2.0
"""Runs the real coordinator with fake workers (tests/support/fake_worker.cc) for the fault tests: a whole search in about a second."""
import json
import os
import pathlib
import subprocess

import run

CONFIG = """
name: fake
seed: 7
base: base
models:
  - {name: base, path: models/base}
  - {name: ja, path: models/ja}
  - {name: math, path: models/math}
data:
  search: {path: search.jsonl}
  validation: {path: validation.jsonl}
  test: {path: test.jsonl}
task:
  prompt: {template: plain}
phases:
  - name: ps
    merge: {method: task_arithmetic, granularity: model, weight: [0, 2]}
    optimizer: {population: 4}
    budget: {generations: 2}
    samples: {per_generation: 6}
    selection: {top: 2}
evaluation: {shard_size: 4}
scheduling: {lease_seconds: 5}
"""


def write_inputs(folder: pathlib.Path) -> pathlib.Path:
    """The config, with models of a few bytes and problems beside it."""
    for model in ("base", "ja", "math"):
        (folder / "models" / model).mkdir(parents=True)
        (folder / "models" / model / "config.json").write_text('{"num_hidden_layers": 4}')
        (folder / "models" / model / "model.safetensors").write_text(model)
    for split, count in (("search", 8), ("validation", 4), ("test", 4)):
        lines = [json.dumps({"question": f"{split} {i}?", "answer": str(i)}) for i in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    return config


def model_options(config: pathlib.Path) -> list[str]:
    """Where the models of write_inputs are, for workers that are started by hand."""
    return [word for model in ("base", "ja", "math") for word in ("--model", f"{model}={config.parent / 'models' / model}")]


def start(bin_folder: str, config: pathlib.Path, db: pathlib.Path, workers: int = 2, delay_ms: int = 0, **variables: str) -> subprocess.Popen:
    command = [f"{bin_folder}/coordinator", "--config", str(config), "--db", str(db), "--local-workers", str(workers),
               "--worker-program", f"{bin_folder}/fake_worker"]
    environment = {**os.environ, "FAKE_WORKER_DELAY_MS": str(delay_ms), **variables}
    # A pipe would be held open by workers that outlive a killed coordinator for a moment.
    with open(f"{db}.log", "ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def log_of(db: pathlib.Path) -> str:
    return pathlib.Path(f"{db}.log").read_text(encoding="utf-8", errors="replace")


def run_to_end(bin_folder: str, config: pathlib.Path, db: pathlib.Path, **options) -> None:
    process = start(bin_folder, config, db, **options)
    status = process.wait(timeout=600)
    assert status == 0, f"coordinator exited with {status}:\n{log_of(db)}"


def undisturbed(bin_folder: str, config: pathlib.Path, db: pathlib.Path) -> dict:
    """The contents of the database of a run that nothing happens to."""
    run_to_end(bin_folder, config, db)
    return run.contents(db)
