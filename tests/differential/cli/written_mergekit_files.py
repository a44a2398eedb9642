# SPDX-License-Identifier: Apache-2.0
"""The mergekit files that `worker merge` writes beside a merged model, run by mergekit itself, give the same weights; read back by
`worker merge --mergekit` they give the same bytes. So do the passthrough files of unscaled paths, which are not read back. Usage: written_mergekit_files.py BIN_FOLDER"""
import json
import logging
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import safetensors.torch
import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

MODELS = pathlib.Path(__file__).resolve().parents[3] / "deploy" / "demo" / "models"
LAYERS = 8
SEED = 42  # of mergekit's masks, which recipes can replay
# Sums in another order: a few units in the last place. TIES: elements at the threshold may fall on either side of it.
TOLERANCE = 2e-6
FLIPPED_SHARE_MAX = 1e-4

BY_LAYER = [["model.embed_tokens.weight"], *([f"model.layers.{i}.*"] for i in range(LAYERS)), ["lm_head.weight", "model.norm.weight"]]
BY_MODULE = [["model.embed_tokens.weight"],
             *([f"model.layers.{i}.{module}.*"] for i in range(LAYERS) for module in ("self_attn", "mlp")),
             *([f"model.layers.{i}.input_layernorm.weight", f"model.layers.{i}.post_attention_layernorm.weight"] for i in range(LAYERS)),
             ["lm_head.weight", "model.norm.weight"]]
CASES = [(method, groups, normalize)
         for method in ("linear", "task_arithmetic", "ties", "dare_linear", "dare_ties", "slerp")
         for groups, normalize in ((BY_LAYER, False), (BY_MODULE, method != "slerp"), ([["*"]], False))]


PATHS = {"path through both models": [(0, 0), (0, 1), (1, 2), (1, 3), (0, 3), (0, 2), (0, 2), (1, 7), (0, 6), (0, 7)],
         "A as it is": [(0, layer) for layer in range(LAYERS)]}


def whole(name: str) -> dict:
    """The recipe of an unmerged model."""
    return {"version": 1, "method": "linear", "base": "", "sources": [name], "tokenizer": name, "normalize": False, "lambda": 1.0,
            "rescale": "density", "mask": "counter", "mask_seed": 0, "dtype": "float32", "out_dtype": "float32",
            "rows": [{"match": ["*"], "weight": [1.0], "density": [], "t": 0.0}]}


def recipe(method: str, groups: list, normalize: bool, dice: random.Random) -> dict:
    sources = ["ja"] if method == "slerp" else ["ja", "math"]
    sparse = method in ("ties", "dare_linear", "dare_ties")

    def row(match):
        return {"match": match, "weight": [] if method == "slerp" else [dice.uniform(0.1, 1.5) for _ in sources],
                "density": [dice.uniform(0.1, 0.9) for _ in sources] if sparse else [], "t": dice.random() if method == "slerp" else 0.0}

    return {"version": 1, "method": method, "base": "" if method == "linear" else "base", "sources": sources,
            "tokenizer": sources[0] if method == "linear" else "base", "normalize": normalize, "lambda": 1.0,
            "rescale": "l1" if method.startswith("dare") else "density", "mask": "mergekit", "mask_seed": SEED,
            "dtype": "float32", "out_dtype": "float32", "rows": [row(match) for match in groups]}


def merge(bin_folder: str, *arguments: object) -> None:
    result = subprocess.run([f"{bin_folder}/worker", "merge", *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def weights(folder: pathlib.Path) -> dict:
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in safetensors.torch.load_file(file).items()}


def compare(ours: dict, theirs: dict, method: str, what: str) -> tuple[float, int]:
    """(largest difference but for flipped elements, number of those)."""
    assert ours.keys() == theirs.keys(), f"{what}: {ours.keys() ^ theirs.keys()}"
    total = sum(tensor.numel() for tensor in ours.values())
    differences = torch.cat([(ours[name] - theirs[name]).abs().flatten() for name in ours])
    flipped = int((differences > TOLERANCE).sum())
    allowed = FLIPPED_SHARE_MAX * total if method == "ties" else 0
    assert flipped <= allowed, f"{what}: {flipped} of {total} elements differ by more than {TOLERANCE}, at most by {differences.max()}"
    return float(differences[differences <= TOLERANCE].max()), flipped


def try_case(bin_folder: str, folder: pathlib.Path, document: dict, what: str) -> str:
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps(document))
    models = [part for name in ("base", "ja", "math") for part in ("--model", f"{name}={MODELS / name}")]
    merge(bin_folder, "--recipe", folder / "recipe.json", "--out", folder / "ours", *models)
    written = folder / "ours" / "mergekit_config.yml"
    merge(bin_folder, "--mergekit", written, "--out", folder / "again")
    same = (folder / "ours/model.safetensors").read_bytes() == (folder / "again/model.safetensors").read_bytes()
    assert same, f"{what}: reading {written.name} back gives another merge"
    config = MergeConfiguration.model_validate(yaml.safe_load(written.read_text()))
    run_merge(config, str(folder / "theirs"), MergeOptions(random_seed=SEED, write_model_card=False, quiet=True))
    largest, flipped = compare(weights(folder / "ours"), weights(folder / "theirs"), document["method"], what)
    return f"{what}: differences up to {largest:.1e}, {flipped} elements at a threshold"


def try_path(bin_folder: str, folder: pathlib.Path, path: list, what: str) -> str:
    """An unscaled path's passthrough file, run by mergekit, gives the folder that `worker merge` has written, bit for bit."""
    folder.mkdir()
    document = {"version": 1, "parts": [whole("ja"), whole("math")], "path": [[*hop, 1.0] for hop in path], "scale_applies_to": "stream",
                "tokenizer": "ja", "out_dtype": "float32"}
    (folder / "recipe.json").write_text(json.dumps(document))
    merge(bin_folder, "--recipe", folder / "recipe.json", "--out", folder / "ours", "--model", f"ja={MODELS / 'ja'}", "--model",
          f"math={MODELS / 'math'}")
    config = MergeConfiguration.model_validate(yaml.safe_load((folder / "ours" / "mergekit_config.yml").read_text()))
    run_merge(config, str(folder / "theirs"), MergeOptions(write_model_card=False, quiet=True))
    ours, theirs = weights(folder / "ours"), weights(folder / "theirs")
    assert ours.keys() == theirs.keys(), f"{what}: {ours.keys() ^ theirs.keys()}"
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert not different, f"{what}: {different} differ"
    layers = [json.loads((folder / name / "config.json").read_text())["num_hidden_layers"] for name in ("ours", "theirs")]
    assert layers == [len(path)] * 2, layers
    return f"{what}: {len(ours)} tensors, bit for bit"


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    dice = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        for index, (method, groups, normalize) in enumerate(CASES):
            what = f"{method}, {len(groups)} groups, normalize {normalize}"
            print(try_case(sys.argv[1], pathlib.Path(name) / str(index), recipe(method, groups, normalize, dice), what), flush=True)
        for what, path in PATHS.items():
            print(try_path(sys.argv[1], pathlib.Path(name) / what.replace(" ", "_"), path, what), flush=True)
    print(f"{len(CASES) + len(PATHS)} written files are mergekit's own merges")


if __name__ == "__main__":
    main()
