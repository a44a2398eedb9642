# SPDX-License-Identifier: Apache-2.0
"""Every whole config that the documentation shows is accepted by `coordinator check`, with the demo's models and data in the places
that it names. Usage: documented_configs.py BIN_FOLDER"""
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run  # noqa: E402

PAGES = ("README.md", "docs/config.md", "docs/getting-started.md")
DATA_NAMES = {"train.jsonl": "search", "dev.jsonl": "validation"}  # what pages call files that the demo calls otherwise


def whole_configs(page: str) -> list[str]:
    return [block for block in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL) if block.startswith("name:")]


def lay_out(folder: pathlib.Path) -> None:
    (folder / "models").symlink_to(run.DEMO / "models")
    (folder / "data").mkdir()
    for split in ("search", "validation", "test"):
        (folder / "data" / f"{split}.jsonl").symlink_to(run.DEMO / "data" / f"{split}.jsonl")
    for name, split in DATA_NAMES.items():
        (folder / "data" / name).symlink_to(run.DEMO / "data" / f"{split}.jsonl")
    (folder / "data" / "mgsm_ja.tsv").write_text("林檎が3個、蜜柑が4個あります。全部で何個ですか。\t7\n", encoding="utf-8")


def main() -> None:
    count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lay_out(folder)
        for page in PAGES:
            configs = whole_configs((run.ROOT / page).read_text(encoding="utf-8"))
            assert configs, f"{page} shows no whole config"
            for text in configs:
                path = folder / "config.yaml"
                path.write_text(text, encoding="utf-8")
                result = subprocess.run([f"{sys.argv[1]}/coordinator", "check", "--config", str(path)], capture_output=True, text=True)
                assert result.returncode == 0, f"{page}:\n{text}\n{result.stderr}"
                assert "is sound" in result.stdout, result.stdout
                count += 1
    print(f"{count} documented configs are accepted")


if __name__ == "__main__":
    main()
