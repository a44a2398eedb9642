# SPDX-License-Identifier: Apache-2.0
"""Every snippet of deploy/tasks makes, pasted beside models and a phase, a config that `coordinator check` accepts with MGSM's and
GSM8K's own files; problems that are not at hand are stood in for. Usage: ready_made_tasks.py BIN_FOLDER"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

SHARED = pathlib.Path(os.environ.get("HETEROSIS_SHARED", run.ROOT.parent / "shared")) / "data"
TASKS = run.ROOT / "deploy" / "tasks"
CONFIG = """
name: snippet
models:
  - {{name: base, path: {demo}/models/base}}
  - {{name: ja, path: {demo}/models/ja}}
base: base
phases:
  - {{name: ps, merge: {{}}, budget: {{generations: 1}}}}
"""


def write_lines(path: pathlib.Path, count: int) -> None:
    """Problems in GSM8K's form that occur nowhere else."""
    rows = [{"question": f"{path.name} {i}?", "answer": f"It is so.\n#### {i:,}"} for i in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def lay_out_data(data: pathlib.Path) -> None:
    data.mkdir()
    for file in (SHARED / "mgsm").glob("*.tsv"):
        (data / file.name).symlink_to(file)
        # The other languages' files of MSVAMP have the same form.
        (data / file.with_suffix(".json").name.replace("mgsm", "msvamp")).symlink_to(SHARED / "msvamp_ja" / "test_Japanese.json")
    (data / "gsm8k_test.jsonl").symlink_to(SHARED / "gsm8k" / "test.jsonl")
    for name, count in (("gsm8k_train.jsonl", 7473), ("search_te.jsonl", 5), ("validation_te.jsonl", 5)):
        write_lines(data / name, count)


def check(bin_folder: str, folder: pathlib.Path, snippet: pathlib.Path) -> str:
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(demo=run.DEMO) + snippet.read_text(encoding="utf-8"), encoding="utf-8")
    result = subprocess.run([f"{bin_folder}/coordinator", "check", "--config", str(config)], capture_output=True, text=True)
    assert result.returncode == 0, f"{snippet.name}:\n{result.stderr}"
    return re.search(r"problems: (.*)", result.stdout).group(1)


def main() -> None:
    if not SHARED.is_dir():
        print("skipped: no shared folder, set HETEROSIS_SHARED")
        sys.exit(77)
    languages = {file.stem.removeprefix("mgsm_") for file in (SHARED / "mgsm").glob("*.tsv")}
    snippets = sorted(TASKS.glob("*.yaml"))
    assert {snippet.stem for snippet in snippets} == {"gsm8k", *(f"mgsm-{language}" for language in languages)}, snippets
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lay_out_data(folder / "data")
        for snippet in snippets:
            problems = check(sys.argv[1], folder, snippet)
            wanted = "1319 test" if snippet.stem == "gsm8k" else "250 test"
            assert wanted in problems, f"{snippet.name}: {problems}"
    print(f"{len(snippets)} ready-made tasks are accepted")


if __name__ == "__main__":
    main()
