# SPDX-License-Identifier: Apache-2.0
"""`coordinator check` accepts the paper's experiments once models and data stand where its file says: with the demo's models in the
place of the 7B ones, and GSM8K's own problems in the place of their translation. Usage: published_experiment.py BIN_FOLDER"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("HETEROSIS_SHARED", ROOT.parent / "shared"))


def main() -> None:
    if not SHARED.is_dir():
        print("skipped: no shared folder, set HETEROSIS_SHARED")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = folder / "evollm-jp-ps.yaml"
        shutil.copy(ROOT / "deploy" / "experiments" / config.name, config)
        command = [f"{sys.argv[1]}/coordinator", "check", "--config", str(config)]
        missing = subprocess.run(command, capture_output=True, text=True)
        assert missing.returncode == 2, missing
        for wanted in ("Mistral-7B-v0.1", "shisa-gamma-7b-v1", "WizardMath-7B-V1.1", "Abel-7B-002", "gsm8k-ja.jsonl", "mgsm_ja.tsv"):
            assert wanted in missing.stderr, f"no word of {wanted}:\n{missing.stderr}"

        (folder / "models").mkdir()
        for model in ("Mistral-7B-v0.1", "shisa-gamma-7b-v1", "WizardMath-7B-V1.1", "Abel-7B-002"):
            (folder / "models" / model).symlink_to(ROOT / "deploy" / "demo" / "models" / "base")
        (folder / "data").mkdir()
        (folder / "data" / "gsm8k-ja.jsonl").symlink_to(SHARED / "data" / "gsm8k" / "gsm8k_test_250_1318.jsonl")
        (folder / "data" / "mgsm_ja.tsv").symlink_to(SHARED / "data" / "mgsm" / "mgsm_ja.tsv")
        accepted = subprocess.run(command, capture_output=True, text=True)
        assert accepted.returncode == 0, accepted.stderr
        for wanted in ("1069 search", "0 validation", "250 test", "dare_ties", "paper"):
            assert wanted in accepted.stdout, f"no {wanted!r} in:\n{accepted.stdout}"

        for name in ("evollm-jp-dfs.yaml", "evollm-jp-ps-dfs.yaml"):
            shutil.copy(ROOT / "deploy" / "experiments" / name, folder / name)
            accepted = subprocess.run([*command[:-1], str(folder / name)], capture_output=True, text=True)
            assert accepted.returncode == 0, accepted.stderr
            # The stand-ins have 8 layers: M = 16, T = 48, 48 + 256 genes.
            for wanted in ("869 search, 200 validation, 250 test", "48 slots", "304 genes", "population 128 x 100", "on 200 search"):
                assert wanted in accepted.stdout, f"{name}: no {wanted!r} in:\n{accepted.stdout}"
    print("the published experiments are accepted")


if __name__ == "__main__":
    main()
