# SPDX-License-Identifier: Apache-2.0
"""Makes small random models and lets mergekit merge them, for merge_differential_test.cc.

usage: make_merges.py FOLDER. Writes the model folders FOLDER/models/NAME, and for each case FOLDER/NAME.yml and mergekit's
result of it, with the random seed 42, in the model folder FOLDER/out/NAME.
"""
import logging
import os
import sys

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

SEED = 42
# 11 layers: in mergekit's order, which is that of the names, layer 10 comes before layer 2.
SIZES = dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=11, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64)


def model_sets(folder):
    """FOLDER/models/SET_NAME: `base`, its fine-tunes a, b and c, and `far`, which has nothing to do with it."""
    for name, make, dtype in [
            ("f32", lambda: MistralForCausalLM(MistralConfig(sliding_window=None, **SIZES)), torch.float32),
            ("bf16", lambda: MistralForCausalLM(MistralConfig(sliding_window=None, **SIZES)), torch.bfloat16),
            ("f16", lambda: LlamaForCausalLM(LlamaConfig(**SIZES)), torch.float16),
            ("tied", lambda: LlamaForCausalLM(LlamaConfig(tie_word_embeddings=True, **SIZES)), torch.float32)]:
        torch.manual_seed(len(name))
        base = make()
        with torch.no_grad():
            for parameter in base.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        state = {key: value.clone() for key, value in base.state_dict().items()}
        for model in ("base", "a", "b", "c", "far"):
            shift = {"base": 0.0, "far": 1.0}.get(model, 0.004)
            torch.manual_seed(ord(model[0]))
            changed = {key: value + torch.randn_like(value) * shift for key, value in state.items()}
            if name == "tied":
                changed["lm_head.weight"] = changed["model.embed_tokens.weight"]
            base.load_state_dict(changed)
            base.to(dtype).save_pretrained(os.path.join(folder, "models", f"{name}_{model}"))
            base.to(torch.float32)


def case(method, models, set_name, sources, dtype=None, out_dtype=None, **shared):
    return dict(method=method, models=models, set=set_name, sources=sources, dtype=dtype, out_dtype=out_dtype,
                shared=shared)


THREE = [dict(weight=0.9), dict(weight=0.5), dict(weight=0.3)]
BY_PART = [dict(weight=[dict(filter="self_attn", value=0.8), dict(filter="mlp", value=[0.1, 0.4, 1.0]),
                        dict(value=0.5)], density=[0.2, 0.9]),
           dict(weight=[0.7, 0.3], density=0.6), dict(weight=0.6, density=[dict(filter="down_proj", value=0.25),
                                                                           dict(value=0.75)])]
SPARSE = [dict(weight=0.9, density=0.4), dict(weight=0.5, density=0.7), dict(weight=0.3, density=1.0)]
ABC = ["a", "b", "c"]

CASES = {}
for SET in ("f32", "bf16", "f16"):
    CASES[f"linear_{SET}"] = case("linear", THREE, SET, ABC)
    CASES[f"task_arithmetic_{SET}"] = case("task_arithmetic", THREE, SET, ABC)
    CASES[f"slerp_{SET}"] = case("slerp", [{}], SET, ["a"], t=[dict(filter="mlp", value=[0.1, 0.9]), dict(value=0.3)])
    CASES[f"slerp_far_{SET}"] = case("slerp", [{}], SET, ["far"], t=0.35)
    CASES[f"ties_{SET}"] = case("ties", SPARSE, SET, ABC)
    CASES[f"dare_linear_{SET}"] = case("dare_linear", SPARSE, SET, ABC)
    CASES[f"dare_ties_{SET}"] = case("dare_ties", SPARSE, SET, ABC)
CASES |= {
    "linear_sum_f32": case("linear", THREE, "f32", ABC, normalize=False),
    "linear_bf16_in_f32": case("linear", THREE, "bf16", ABC, dtype="float32", out_dtype="bfloat16"),
    "task_arithmetic_lambda_bf16": case("task_arithmetic", THREE, "bf16", ABC, **{"lambda": 0.7}),
    "task_arithmetic_normalized_f32": case("task_arithmetic", THREE, "f32", ABC, normalize=True),
    "ties_by_part_f32": case("ties", BY_PART, "f32", ABC),
    "ties_by_part_bf16_in_f32": case("ties", BY_PART, "bf16", ABC, dtype="float32", out_dtype="bfloat16"),
    "ties_sum_f32": case("ties", SPARSE, "f32", ABC, normalize=False, **{"lambda": 1.3}),
    "dare_ties_by_part_f32": case("dare_ties", BY_PART, "f32", ABC),
    "dare_ties_f32_in_bf16": case("dare_ties", SPARSE, "f32", ABC, dtype="bfloat16"),
    "dare_linear_unscaled_bf16": case("dare_linear", SPARSE, "bf16", ABC, rescale=False),
    "dare_ties_normalized_bf16_in_f32": case("dare_ties", SPARSE, "bf16", ABC, dtype="float32", out_dtype="bfloat16",
                                             normalize=True),
    "dare_ties_tied": case("dare_ties", SPARSE, "tied", ABC),
    "ties_tied": case("ties", SPARSE, "tied", ABC),
}


def config_of(folder, spec):
    def path(model):
        return os.path.join(folder, "models", f"{spec['set']}_{model}")

    models = [dict(model=path(name), **(dict(parameters=parameters) if parameters else {}))
              for name, parameters in zip(spec["sources"], spec["models"])]
    config = dict(merge_method=spec["method"], models=models)
    if spec["method"] != "linear":
        config["base_model"] = path("base")
    if spec["shared"]:
        config["parameters"] = spec["shared"]
    return config | {key: spec[key] for key in ("dtype", "out_dtype") if spec[key]}


def main(folder):
    logging.disable(logging.WARNING)
    model_sets(folder)
    options = MergeOptions(random_seed=SEED, write_model_card=False, copy_tokenizer=False, quiet=True)
    for name, spec in CASES.items():
        text = yaml.safe_dump(config_of(folder, spec), sort_keys=False)
        with open(os.path.join(folder, name + ".yml"), "w", encoding="utf-8") as file:
            file.write(text)
        run_merge(MergeConfiguration.model_validate(yaml.safe_load(text)), os.path.join(folder, "out", name), options)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(os.path.abspath(sys.argv[1]))
