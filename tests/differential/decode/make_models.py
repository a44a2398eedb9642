# SPDX-License-Identifier: Apache-2.0
"""Writes small models with transformers' logits and greedy tokens of them, for decode_differential_test.cc: random ones,
and copies of the demo's.

usage: make_models.py FOLDER. Each FOLDER/NAME is a model folder with expected.json: {"prompts": [[id]], "new_tokens": n,
"greedy": [[id]], "logits_float32": [[number]], "logits_bfloat16": [[number]]}; logits are those of all tokens of the
first prompt, one row a token.
"""
import json
import os
import shutil
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

NEW_TOKENS = 24
COMMON = dict(vocab_size=211, hidden_size=48, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
              max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)


def rope(kind, **more):
    return {"rope_type": kind, "rope_theta": 10000.0, **more}


CASES = {
    "llama_plain": (LlamaConfig, dict(num_key_value_heads=4)),
    "llama_tied_one_kv_head": (LlamaConfig, dict(num_key_value_heads=1, tie_word_embeddings=True)),
    "llama_biases": (LlamaConfig, dict(num_key_value_heads=2, attention_bias=True, mlp_bias=True)),
    "llama_odd_sizes": (LlamaConfig, dict(num_attention_heads=5, num_key_value_heads=1, head_dim=14,
                                          intermediate_size=71, hidden_size=50)),
    "llama_linear": (LlamaConfig, dict(num_key_value_heads=2, rope_parameters=rope("linear", factor=2.5))),
    "llama_dynamic": (LlamaConfig, dict(num_key_value_heads=2, max_position_embeddings=32,
                                        rope_parameters=rope("dynamic", factor=4.0))),
    "llama_yarn": (LlamaConfig, dict(num_key_value_heads=2, rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=32))),
    "llama_llama3": (LlamaConfig, dict(num_key_value_heads=2, rope_parameters=rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32))),
    "llama_tied_bf16": (LlamaConfig, dict(num_key_value_heads=2, tie_word_embeddings=True, dtype="bfloat16")),
    "llama_yarn_mscale": (LlamaConfig, dict(num_key_value_heads=4, rope_parameters=rope(
        "yarn", factor=8.0, original_max_position_embeddings=16, beta_fast=16.0, beta_slow=2.0, mscale=1.0,
        mscale_all_dim=0.5))),
    "llama_large_theta": (LlamaConfig, dict(num_key_value_heads=2, rope_parameters=dict(rope_type="default",
                                                                                       rope_theta=500000.0))),
    "mistral_window_of_two": (MistralConfig, dict(num_key_value_heads=4, sliding_window=2)),
    "mistral_tied": (MistralConfig, dict(num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-3)),
    "mistral_group_of_four": (MistralConfig, dict(num_key_value_heads=1, head_dim=16)),
    "mistral_window": (MistralConfig, dict(num_key_value_heads=2, head_dim=24, sliding_window=9)),
}


def forget(model):
    """Dynamic RoPE scaling keeps the frequencies of an earlier long text until a short one comes."""
    model(torch.tensor([[3]]))


def greedy(model, prompt):
    forget(model)
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False)
    return out[0, len(prompt):].tolist()


def make(folder, name, seed):
    config_class, settings = CASES[name]
    config = config_class(**{"sliding_window": None} | COMMON | settings
                          if config_class is MistralConfig else COMMON | settings)
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = (MistralForCausalLM if config_class is MistralConfig else LlamaForCausalLM)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # wide enough that every part matters
            parameter.copy_(torch.randn_like(parameter) * 0.12 + (1.0 if parameter.dim() == 1 else 0.0))
    path = os.path.join(folder, name)
    if settings.get("dtype"):  # of the file; the expected results are computed in f32 from the rounded values
        model.to(torch.bfloat16).save_pretrained(path)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    else:
        model.save_pretrained(path)
    write_expected(path, model, [torch.randint(3, 211, (length,)).tolist() for length in (40, 1, 17, 33, 5)])


def write_expected(path, model, prompts):
    expected = {"prompts": prompts, "new_tokens": NEW_TOKENS}
    with torch.no_grad():
        expected["greedy"] = [greedy(model, prompt) for prompt in prompts]
        forget(model)
        expected["logits_float32"] = model(torch.tensor([prompts[0]])).logits[0].tolist()
        expected["logits_bfloat16"] = model.to(torch.bfloat16)(torch.tensor([prompts[0]])).logits[0].float().tolist()
    with open(os.path.join(path, "expected.json"), "w") as file:
        json.dump(expected, file)


def copy_demo(folder, name):
    source = os.path.join("deploy/demo/models", name)
    path = os.path.join(folder, "demo_" + name)
    shutil.copytree(source, path)
    tokenizer = Tokenizer.from_file(os.path.join(source, "tokenizer.json"))
    with open("deploy/demo/data/test.jsonl", encoding="utf-8") as file:
        questions = [json.loads(line)["question"] for line in list(file)[:40]]
    prompts = [[1] + tokenizer.encode(f"問: {question}\n答:", add_special_tokens=False).ids for question in questions]
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    write_expected(path, model, prompts)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number, case in enumerate(CASES):
        make(sys.argv[1], case, number)
    for demo in ("base", "ja", "math"):
        copy_demo(sys.argv[1], demo)
