# SPDX-License-Identifier: Apache-2.0
"""The command line's contract (DESIGN.md section 4): exit codes, errors that name file and line before anything starts, JSON and
nothing else on standard output. Usage: command_line.py BIN_FOLDER"""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

BIN = sys.argv[1]


def call(program: str, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([f"{BIN}/{program}", *map(str, arguments)], capture_output=True, text=True, env=run.environment(), timeout=120)


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
    assert call("coordinator", "--nonsense").returncode == 2
    assert call("worker", "nonsense").returncode == 2
    expect_error(call("worker"), "--gpu N or --cpu")


def commands_print_json_only(config: pathlib.Path, db: pathlib.Path) -> None:
    best = json.loads(call("coordinator", "best", "--db", db, "--format", "json").stdout)
    trial = best["genomes"][0]["trial"]
    shown = json.loads(call("coordinator", "show", "--db", db, "--trial", trial, "--format", "json").stdout)
    assert shown["recipe"] == best["genomes"][0]["recipe"]
    expect_error(call("coordinator", "show", "--db", db, "--trial", 999999), "999999")
    expect_error(call("coordinator", "best", "--db", config), "config.yaml: not a database", status=1)
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
        db = folder / "run.db"
        result = call("coordinator", "--config", config, "--db", db, "--local-workers", 2, "--log-format", "json")
        assert result.returncode == 0 and result.stdout == "", result
        for line in result.stderr.splitlines():
            assert isinstance(json.loads(line), dict), line
        commands_print_json_only(config, db)
        evaluate_repeats_the_score(config, db)
    print("exit codes, errors and JSON are as documented")


if __name__ == "__main__":
    main()
