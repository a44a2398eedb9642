# SPDX-License-Identifier: Apache-2.0
"""`worker generate` writes the very tokens and texts that transformers writes: with the demo's models, and with a folder that
`worker merge` wrote, in float32 and in bfloat16. Usage: worker_against_transformers.py BIN_FOLDER"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
DEMO = ROOT / "deploy" / "demo"
LIMIT = 24
MERGE = f"""merge_method: ties
base_model: {DEMO}/models/base
models:
  - model: {DEMO}/models/ja
    parameters: {{weight: 0.7, density: 0.6}}
  - model: {DEMO}/models/math
    parameters: {{weight: 0.6, density: 0.8}}
dtype: float32
"""


def make_prompts() -> list[str]:
    with open(DEMO / "data" / "validation.jsonl", encoding="utf-8") as file:
        questions = [json.loads(line)["question"] for line in file][:40]
    prompts = [f"問: {question}\n答:" for question in questions]
    # Not what the models were taught: long answers, byte fallback, blanks, special tokens written out.
    return prompts + ["Tom has 3 apples", "a", "  two  blanks ", "tab\tand\nline", "😀 emoji 👩‍👩‍👧", "é ü ß Ωmega", "３＋４は？", "</s> in text", "12345 67890",
                      "日本語と English を混ぜた文章です。\n\n"]


def ours(bin_folder: str, model: pathlib.Path, prompts_file: pathlib.Path, dtype: str) -> list[dict]:
    command = [f"{bin_folder}/worker", "generate", "--model", str(model), "--prompts", str(prompts_file), "--max-new-tokens", str(LIMIT),
               "--batch-size", "7", "--dtype", dtype, "--format", "json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["outputs"]


def generate(model, tokenizer, prompt: str) -> tuple[list[int], str, str]:
    inputs = tokenizer(prompt, return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=LIMIT, do_sample=False)[0, inputs["input_ids"].shape[1]:].tolist()
    finish = "length"
    if output and output[-1] == tokenizer.eos_token_id:
        output, finish = output[:-1], "eos"
    return output, tokenizer.decode(output, skip_special_tokens=True), finish


def compare(bin_folder: str, folder: pathlib.Path, prompts: list[str], prompts_file: pathlib.Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = ours(bin_folder, folder, prompts_file, "f32")
    assert [row["prompt"] for row in rows] == prompts
    finishes = set()
    for row in rows:
        tokens, text, finish = generate(model, tokenizer, row["prompt"])
        expected = {"prompt": row["prompt"], "text": text, "tokens": tokens, "finish": finish}
        assert row == expected, f"{folder}\n  transformers {expected}\n  ours         {row}"
        finishes.add(finish)
    assert finishes == {"eos", "length"}, f"the prompts try too little: {finishes}"
    # In bfloat16 sums are rounded in another order, so that a close call may go the other way: most answers agree.
    model = model.to(torch.bfloat16)
    rows = ours(bin_folder, folder, prompts_file, "bf16")
    equal = sum(row["tokens"] == generate(model, tokenizer, row["prompt"])[0] for row in rows)
    assert equal >= 0.7 * len(rows), f"{folder}: only {equal} of {len(rows)} answers are equal in bfloat16"
    print(f"{folder.name}: {len(rows)} equal answers in float32, {equal} in bfloat16")


def main() -> None:
    bin_folder = sys.argv[1]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        prompts, prompts_file = make_prompts(), scratch / "prompts.jsonl"
        prompts_file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts), encoding="utf-8")
        (scratch / "merge.yml").write_text(MERGE, encoding="utf-8")
        subprocess.run([f"{bin_folder}/worker", "merge", "--mergekit", str(scratch / "merge.yml"), "--out", str(scratch / "merged")], check=True)
        for folder in [DEMO / "models" / model for model in ("base", "ja", "math")] + [scratch / "merged"]:
            compare(bin_folder, folder, prompts, prompts_file)


if __name__ == "__main__":
    main()
