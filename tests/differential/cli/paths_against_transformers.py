# SPDX-License-Identifier: Apache-2.0
"""`worker merge` writes paths as folders that transformers runs: unscaled ones as plain deeper models, scaled ones by the Python file
beside them. Logits equal those of the parents' own layers run along the path (make_paths.py), and greedy answers with transformers'
cache equal those of `worker generate`. Usage: paths_against_transformers.py BIN_FOLDER"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "differential" / "decode"))
import make_paths  # noqa: E402

DEMO = ROOT / "deploy" / "demo" / "models"
LIMIT = 20
PROMPTS = ["問: りんごが3個あります。2個もらうと何個ですか。\n答:", "a", "Tom has 3 apples", "12345 67890", "é ü ß 混ぜた文章"]


def whole(name: str) -> dict:
    """The recipe of an unmerged model."""
    return {"version": 1, "method": "linear", "base": "", "sources": [name], "tokenizer": name, "normalize": False, "lambda": 1.0,
            "rescale": "density", "mask": "counter", "mask_seed": 0, "dtype": "float32", "out_dtype": "float32",
            "rows": [{"match": ["*"], "weight": [1.0], "density": [], "t": 0.0}]}


def make_llamas(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Two random Llama models of different depth with the demo's tokenizer; the embedding of the first is tied."""
    torch.manual_seed(4)
    folders = {}
    for name, depth, tied in (("a", 3, True), ("b", 4, False)):
        config = transformers.LlamaConfig(**make_paths.COMMON | make_paths.BIASES | dict(
            vocab_size=768, num_hidden_layers=depth, tie_word_embeddings=tied))
        model = transformers.LlamaForCausalLM(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.12 + (1.0 if parameter.dim() == 1 else 0.0))
        folders[name] = folder / f"llama_{name}"
        model.save_pretrained(folders[name])
        for file in DEMO.joinpath("base").glob("tokenizer*"):
            shutil.copy(file, folders[name])
    return folders


def merge(bin_folder: str, parents: dict[str, pathlib.Path], path: list, target: str, out: pathlib.Path) -> None:
    names = list(parents)
    recipe = {"version": 1, "parts": [whole(name) for name in names], "path": path, "scale_applies_to": target, "tokenizer": names[0],
              "out_dtype": "float32"}
    recipe_file = out.with_suffix(".json")
    recipe_file.write_text(json.dumps(recipe))
    models = [word for name, folder in parents.items() for word in ("--model", f"{name}={folder}")]
    subprocess.run([f"{bin_folder}/worker", "merge", "--recipe", str(recipe_file), *models, "--out", str(out)], check=True)
    assert json.loads((out / "heterosis_recipe.json").read_text()) == recipe


def load(folder: pathlib.Path, **options):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **options).eval()


def load_export(out: pathlib.Path, path: list, family: str, scaled: bool):
    if not scaled:
        model = load(out)
        assert type(model).__name__ == family and len(model.model.layers) == len(path), type(model)
        return model
    try:  # not even by mistake may it run as the plain model that it is not
        load(out, trust_remote_code=False)
    except ValueError as error:
        assert "trust_remote_code" in str(error), error
    else:
        raise AssertionError(f"{out}: loaded without its own code")
    model = load(out, trust_remote_code=True)
    assert type(model).__name__ == "HeterosisForCausalLM" and isinstance(model, getattr(transformers, family)), type(model)
    assert len(model.model.layers) == len({tuple(hop[:2]) for hop in path}), "each layer is stored once"
    return model


def compare(bin_folder: str, parents: dict[str, pathlib.Path], family: str, path: list, target: str, out: pathlib.Path) -> None:
    merge(bin_folder, parents, path, target, out)
    scaled = any(hop[2] != 1 for hop in path)
    model = load_export(out, path, family, scaled)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out, trust_remote_code=scaled)
    originals = [load(folder) for folder in parents.values()]
    prompts_file = out.with_suffix(".jsonl")
    prompts_file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    command = [f"{bin_folder}/worker", "generate", "--model", str(out), "--prompts", str(prompts_file), "--max-new-tokens", str(LIMIT),
               "--dtype", "f32", "--format", "json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["outputs"]
    for prompt, row in zip(PROMPTS, rows, strict=True):
        inputs = tokenizer(prompt, return_tensors="pt")
        ids = inputs["input_ids"][0].tolist()
        with torch.no_grad():
            reference = make_paths.run(originals, path, target, ids)
            torch.testing.assert_close(model(**inputs).logits[0], reference, rtol=1e-4, atol=1e-4)
            tokens = model.generate(**inputs, max_new_tokens=LIMIT, do_sample=False)[0, len(ids):].tolist()
        tokens = tokens[:-1] if tokens[-1] == tokenizer.eos_token_id else tokens
        assert row["tokens"] == tokens, f"{out.name}, {prompt!r}\n  transformers {tokens}\n  ours         {row['tokens']}"
    print(f"{out.name}: {len(path)} hops, logits and {len(PROMPTS)} answers equal")


def main() -> None:
    bin_folder = sys.argv[1]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        demo = {"ja": DEMO / "ja", "math": DEMO / "math"}
        llamas = make_llamas(scratch)
        for target, scaled in (("stream", False), ("stream", True), ("branch", True)):
            kind = target if scaled else "unscaled"
            path = [list(hop) for hop in make_paths.with_scales(make_paths.DEMO_PATH, scaled, random.Random(8))]
            compare(bin_folder, demo, "MistralForCausalLM", path, target, scratch / f"demo_{kind}")
            path = [list(hop) for hop in make_paths.with_scales(make_paths.PATH, scaled, random.Random(3))]
            compare(bin_folder, llamas, "LlamaForCausalLM", path, target, scratch / f"path_llama_{kind}")


if __name__ == "__main__":
    main()
