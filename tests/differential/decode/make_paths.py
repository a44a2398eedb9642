# SPDX-License-Identifier: Apache-2.0
"""Runs transformers' own decoder layers along paths through two models, without any cache, for path_differential_test.cc.

usage: make_paths.py FOLDER. Each FOLDER/NAME has the models a and b and expected.json: that of make_models.py, and "path":
[[model, layer, scale]], "scale_applies_to": "stream" or "branch".
"""
import json
import os
import random
import shutil
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig

NEW_TOKENS = 16
COMMON = dict(vocab_size=211, hidden_size=48, intermediate_size=72, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
BIASES = dict(attention_bias=True, mlp_bias=True)
WINDOW = dict(head_dim=24, sliding_window=9)
# Layers forward, backward, repeated and left out; model a has 3 of them, b has 4.
PATH = [(0, 0), (0, 1), (1, 3), (1, 3), (1, 0), (0, 1), (1, 1), (0, 0), (0, 2)]
DEMO_PATH = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (0, 4), (0, 4), (1, 5), (0, 5), (0, 6), (0, 7)]
CASES = {
    "llama_unscaled": (LlamaConfig, BIASES, "stream", False),
    "llama_stream": (LlamaConfig, BIASES, "stream", True),
    "llama_branch": (LlamaConfig, BIASES, "branch", True),
    "mistral_window_stream": (MistralConfig, WINDOW, "stream", True),
    "mistral_window_branch": (MistralConfig, WINDOW, "branch", True),
    "tied_branch": (LlamaConfig, dict(tie_word_embeddings=True), "branch", True),
}


def attend(layer, hidden, mask, angles):
    normed = layer.input_layernorm(hidden)
    return hidden + layer.self_attn(hidden_states=normed, attention_mask=mask, position_embeddings=angles)[0]


def run(models, path, target, ids):
    """Logits [tokens][vocabulary] of one text. The stream is `hidden`, to which `branch` has not been added yet."""
    first = models[0].model
    count = len(ids)
    positions = torch.arange(count)
    distance = positions[:, None] - positions[None, :]
    window = getattr(models[0].config, "sliding_window", None) or count
    hidden = first.embed_tokens(torch.tensor([ids]))
    mask = torch.where((distance >= 0) & (distance < window), 0.0, torch.finfo(hidden.dtype).min)[None, None].to(hidden.dtype)
    angles = first.rotary_emb(hidden, position_ids=positions[None])
    branch = None
    for part, number, scale in path:
        layer = models[part].model.layers[number]
        if branch is None:
            hidden = scale * hidden
        elif target == "stream":
            hidden = scale * (hidden + branch)
        else:
            hidden = hidden + scale * branch
        hidden = attend(layer, hidden, mask, angles)
        branch = layer.mlp(layer.post_attention_layernorm(hidden))
    return models[0].lm_head(first.norm(hidden + branch))[0].float()


def greedy(models, path, target, prompt):
    ids = list(prompt)
    while len(ids) < len(prompt) + NEW_TOKENS:
        ids.append(int(run(models, path, target, ids)[-1].argmax()))
        if ids[-1] == 2:
            break
    return ids[len(prompt):]


def write_expected(folder, models, path, target, prompts):
    expected = {"prompts": prompts, "new_tokens": NEW_TOKENS, "path": path, "scale_applies_to": target}
    with torch.no_grad():
        expected["greedy"] = [greedy(models, path, target, prompt) for prompt in prompts]
        expected["logits_float32"] = run(models, path, target, prompts[0]).tolist()
        narrow = [model.to(torch.bfloat16) for model in models]
        expected["logits_bfloat16"] = run(narrow, path, target, prompts[0]).tolist()
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(expected, file)


def with_scales(path, scaled, chance):
    """Every third hop is left at exactly 1."""
    scales = [1.0 if i % 3 == 1 else round(chance.gauss(1, 0.25), 3) for i in range(len(path))]
    return [(part, layer, scale if scaled else 1.0) for (part, layer), scale in zip(path, scales)]


def make_random(folder, name):
    config_class, settings, target, scaled = CASES[name]
    torch.manual_seed(5)
    models = []
    for part, depth in (("a", 3), ("b", 4)):
        base = {"sliding_window": None} if config_class is MistralConfig else {}
        config = config_class(**base | COMMON | settings | dict(num_hidden_layers=depth))
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        with torch.no_grad():
            for parameter in model.parameters():  # wide enough that every part matters
                parameter.copy_(torch.randn_like(parameter) * 0.12 + (1.0 if parameter.dim() == 1 else 0.0))
        model.save_pretrained(os.path.join(folder, name, part))
        models.append(model)
    prompts = [torch.randint(3, 211, (length,)).tolist() for length in (30, 1, 17, 25, 5)]
    write_expected(os.path.join(folder, name), models, with_scales(PATH, scaled, random.Random(3)), target, prompts)


def make_demo(folder, target, scaled):
    path = os.path.join(folder, f"demo_{target if scaled else 'unscaled'}")
    models = []
    for part, name in (("a", "ja"), ("b", "math")):
        source = os.path.join("deploy/demo/models", name)
        shutil.copytree(source, os.path.join(path, part))
        models.append(AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval())
    tokenizer = Tokenizer.from_file("deploy/demo/models/ja/tokenizer.json")
    with open("deploy/demo/data/test.jsonl", encoding="utf-8") as file:
        questions = [json.loads(line)["question"] for line in list(file)[:6]]
    prompts = [[1] + tokenizer.encode(f"問: {question}\n答:", add_special_tokens=False).ids for question in questions]
    write_expected(path, models, with_scales(DEMO_PATH, scaled, random.Random(8)), target, prompts)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in CASES:
        make_random(sys.argv[1], case)
    for demo_target, demo_scaled in (("stream", False), ("stream", True), ("branch", True)):
        make_demo(sys.argv[1], demo_target, demo_scaled)
