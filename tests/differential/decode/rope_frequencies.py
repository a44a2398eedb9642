# SPDX-License-Identifier: Apache-2.0
"""What transformers reads out of config.json about the rotary embedding, for rope_differential_test.cc.

usage: rope_frequencies.py FOLDER. Writes FOLDER/NUMBER/config.json and FOLDER/cases.json: [{"folder", "spelling",
"lengths": {length: [inverse frequency]}, "factor"}].
"""
import json
import os
import sys

import torch
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SIZES = dict(hidden_size=64, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=32, max_position_embeddings=4096, hidden_act="silu", rms_norm_eps=1e-5)
SCALINGS = [
    dict(rope_type="linear", factor=2.0), dict(rope_type="linear", factor=3.7),
    dict(rope_type="dynamic", factor=2.0), dict(rope_type="dynamic", factor=5.5),
    dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=1024),
    dict(rope_type="yarn", factor=4.0),
    dict(rope_type="yarn", factor=16.0, original_max_position_embeddings=256, beta_fast=24.0, beta_slow=2.0),
    dict(rope_type="yarn", factor=40.0, original_max_position_embeddings=1024, mscale=1.0, mscale_all_dim=0.7),
    dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=512, attention_factor=1.25),
    dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
         original_max_position_embeddings=512),
    dict(rope_type="llama3", factor=32.0, low_freq_factor=2.0, high_freq_factor=9.0,
         original_max_position_embeddings=2048),
]


def configs():
    """(spelling, config.json) in the spellings of transformers 4 (with `rope_type` and the older `type`) and 5."""
    for kind, architecture in [("llama", "LlamaForCausalLM"), ("mistral", "MistralForCausalLM")]:
        common = dict(SIZES, model_type=kind, architectures=[architecture])
        for theta in (10000.0, 500000.0):
            for head_dim in (16, 24, 128):
                yield "4", dict(common, rope_theta=theta, head_dim=head_dim, torch_dtype="bfloat16")
                yield "4, null", dict(common, rope_theta=theta, head_dim=head_dim, rope_scaling=None)
                yield "5", dict(common, head_dim=head_dim, dtype="bfloat16",
                                rope_parameters=dict(rope_type="default", rope_theta=theta))
                for scaling in SCALINGS:
                    yield "4", dict(common, rope_theta=theta, head_dim=head_dim, rope_scaling=scaling)
                    yield "5", dict(common, head_dim=head_dim, rope_parameters=dict(scaling, rope_theta=theta))
        for scaling in SCALINGS[:3]:
            older = {("type" if key == "rope_type" else key): value for key, value in scaling.items()}
            yield "4, type", dict(common, rope_theta=25000, rope_scaling=older)
        yield "no theta", common


def frequencies(config, length):
    kind = config.rope_parameters["rope_type"]
    if kind == "default":
        dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        powers = torch.arange(0, dim, 2, dtype=torch.int64).float() / dim
        return 1.0 / (config.rope_parameters["rope_theta"] ** powers), 1.0
    return ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=length)


def main(folder):
    cases = []
    for number, (spelling, raw) in enumerate(configs()):
        path = os.path.join(folder, str(number))
        os.makedirs(path)
        with open(os.path.join(path, "config.json"), "w") as file:
            json.dump(raw, file)
        config = AutoConfig.from_pretrained(path)
        lengths = {length: frequencies(config, length)[0].tolist() for length in (1, 4096, 4097, 9000)}
        cases.append(dict(folder=str(number), spelling=spelling, lengths=lengths,
                          factor=float(frequencies(config, 1)[1])))
    with open(os.path.join(folder, "cases.json"), "w") as file:
        json.dump(cases, file)


if __name__ == "__main__":
    main(sys.argv[1])
