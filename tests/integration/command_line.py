# SPDX-License-Identifier: Apache-2.0
"""The command line's contract (DESIGN.md section 4): exit codes, errors that name file and line before anything starts, JSON and
nothing else on standard output. Usage: command_line.py BIN_FOLDER"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

BIN = sys.argv[1]


def call(program: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [f"{BIN}/{program}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**run.environment(), **environment}, timeout=120)


def expect_error(result: subprocess.CompletedProcess, *parts: str, status: int = 2) -> None:
    assert result.returncode == status, f"exit status {result.returncode}:\n{result.stdout}{result.stderr}"
    assert result.stdout == "", result.stdout
    for part in parts:
        assert part in result.stderr, f"no {part!r} in:\n{result.stderr}"


def changed(config: pathlib.Path, old: str, new: str) -> pathlib.Path:
    text = config.read_text()
    assert old in text, old
    path = config.with_name("changed.yaml")
    path.write_text(text.replace(old, new))
    return path


def wrong_configs_start_nothing(config: pathlib.Path) -> None:
    folder = config.parent
    cases = [
        ("population: 6", "popluation: 6", ["changed.yaml:", "popluation", "did you mean"]),
        ("population: 6", "population: many", ["changed.yaml:", "population", "many"]),
        ("weight: [0, 2]", "weight: [2, 0]", ["changed.yaml:", "low"]),
        ("models/ja}", "models/nowhere}", ["changed.yaml:", "nowhere"]),
        ("data/test.jsonl", "data/search.jsonl", ["asks the same"]),
        ("base: base", "base: bass", ["changed.yaml:", "bass", "did you mean"]),
        ("expect: ja", "expect: jp", ["changed.yaml:", "lid.176", 'did you mean "ja"']),
        ("prompt: {", "prompt: {chat: true, ", ["changed.yaml:", "no chat template", "models/math"]),
        ('rows: ":40"}\n  validation', 'rows: "9000:"}\n  validation', ["search.jsonl", "rows"]),
    ]
    for old, new, parts in cases:
        path = changed(config, old, new)
        expect_error(call("coordinator", "check", "--config", path), *parts)
        db = folder / "never.db"
        expect_error(call("coordinator", "--config", path, "--db", db, "--local-workers", 1), *parts)
        assert not db.exists(), f"a wrong config ({new}) left a database"
    expect_error(call("coordinator", "--config", folder / "missing.yaml"), "missing.yaml")
    expect_error(call("coordinator", "--config", config, "--listen", "0.0.0.0:0", "--db", folder / "open.db"), "--insecure")
    expect_error(call("coordinator", "--config", config, "--listen", "nonsense", "--db", folder / "open.db"), "write HOST:PORT")
    expect_error(call("coordinator", "--config", config, "--local-workers", 1, "--worker-program", folder / "no-worker",
                      "--db", folder / "open.db"), "no-worker: the worker program is not there")
    assert not (folder / "open.db").exists(), "a wrong command left a database"
    assert call("coordinator", "--nonsense").returncode == 2
    assert call("worker", "nonsense").returncode == 2
    expect_error(call("worker"), "--gpu N or --cpu")


def bad_files_are_bad_usage(config: pathlib.Path, folder: pathlib.Path) -> None:
    huge = folder / "huge.yaml"
    huge.write_text("#" * (1 << 20) + "\n" + config.read_text())
    expect_error(call("coordinator", "check", "--config", huge), "huge.yaml", "more than")
    recipe = folder / "recipe.json"
    recipe.write_text('{"version": 99999999999999999999}')
    expect_error(call("worker", "merge", "--recipe", recipe, "--out", folder / "never"), "recipe.json", "version")
    expect_error(call("worker", "--cpu", "--gpu", 0), "not both")
    if os.getuid() != 0:  # root may read whatever it likes
        recipe.chmod(0)
        expect_error(call("worker", "merge", "--recipe", recipe, "--out", folder / "never"), "recipe.json", "Permission denied")


def broken_links_among_the_models_are_passed_over(folder: pathlib.Path) -> None:
    models = folder / "models_dir"
    models.mkdir()
    (models / "loop").symlink_to("loop")
    (models / "ja").symlink_to(run.DEMO / "models/ja")
    recipe = folder / "ja.json"
    recipe.write_text(json.dumps({
        "version": 1, "method": "linear", "base": "", "sources": ["ja"], "tokenizer": "ja", "normalize": False, "lambda": 1,
        "rescale": "density", "mask": "counter", "mask_seed": 0, "dtype": "float32", "out_dtype": "bfloat16",
        "rows": [{"match": ["*"], "weight": [1], "density": [], "t": 0}]}))
    merged = call("worker", "merge", "--recipe", recipe, "--models-dir", models, "--out", folder / "ja_again")
    assert merged.returncode == 0, merged


def help_shows_what_is_accepted() -> None:
    computing = ["--gpu", "--cpu", "--threads", "--log-format", "--verbose"]
    for command, options in {"merge": [*computing, "--model", "--models-dir"], "generate": computing, "evaluate": computing}.items():
        text = call("worker", command, "--help").stdout
        for option in options:
            assert option in text, f"worker {command} --help lacks {option}:\n{text}"
    for program in ("coordinator", "worker"):
        told = call(program, "--version")
        assert told.returncode == 0 and re.fullmatch(rf"heterosis {program} \d+\.\d+\.\d+\n", told.stdout), told
    for command in ("best", "show", "export"):
        text = call("coordinator", command, "--help").stdout
        assert "ENUM" not in text and "->" not in text and "{" in text, text
    wrong = call("coordinator", "best", "--db", "x.db", "--format", "xml")
    assert wrong.returncode == 2 and "xml not in {table,json,csv}" in wrong.stdout + wrong.stderr, wrong


def commands_print_json_only(config: pathlib.Path, db: pathlib.Path) -> None:
    best = json.loads(call("coordinator", "best", "--db", db, "--format", "json").stdout)
    trial = best["genomes"][0]["trial"]
    shown = json.loads(call("coordinator", "show", "--db", db, "--trial", trial, "--format", "json").stdout)
    assert shown["recipe"] == best["genomes"][0]["recipe"]
    expect_error(call("coordinator", "show", "--db", db, "--trial", 999999), "999999")
    expect_error(call("coordinator", "best", "--db", config), "config.yaml: not a database")
    folder = db.parent
    exported = call("coordinator", "export", "--db", db, "--trial", trial, "--format", "mergekit", "--out", folder / "merge.yml")
    assert exported.returncode == 0 and exported.stdout == "", exported
    by_recipe, by_mergekit = folder / "by_recipe", folder / "by_mergekit"
    merged = call("worker", "merge", "--db", db, "--trial", trial, "--out", by_recipe)
    assert merged.returncode == 0, merged.stderr
    merged = call("worker", "merge", "--mergekit", folder / "merge.yml", "--out", by_mergekit)
    assert merged.returncode == 0, merged.stderr
    assert (by_recipe / "model.safetensors").read_bytes() == (by_mergekit / "model.safetensors").read_bytes(), "the exported YAML merges otherwise"
    expect_error(call("worker", "merge", "--db", db, "--trial", trial, "--out", by_recipe), str(by_recipe))


def evaluate_repeats_the_score(config: pathlib.Path, db: pathlib.Path) -> None:
    """`worker evaluate` on the written winner: the very score that the sealed test gave."""
    chosen = next(row for row in run.best(BIN, db)["genomes"] if row["chosen"])
    result = call("worker", "evaluate", "--model", db.parent / "by_recipe", "--config", config, "--split", "test", "--format", "json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert abs(document["accuracy"] - chosen["test"]) < 1e-12, (document["accuracy"], chosen["test"])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = run.write_config(folder, generations=2)
        wrong_configs_start_nothing(config)
        bad_files_are_bad_usage(config, folder)
        broken_links_among_the_models_are_passed_over(folder)
        help_shows_what_is_accepted()
        db = folder / "run.db"
        # A proxy is not for workers: nobody listens at this one.
        proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "", "no_grpc_proxy": ""}
        result = call("coordinator", "--config", config, "--db", db, "--local-workers", 2, "--log-format", "json", **proxy)
        assert result.returncode == 0 and result.stdout == "", result
        for line in result.stderr.splitlines():
            assert isinstance(json.loads(line), dict), line
        commands_print_json_only(config, db)
        evaluate_repeats_the_score(config, db)
    print("exit codes, errors and JSON are as documented")


if __name__ == "__main__":
    main()
