# SPDX-License-Identifier: Apache-2.0
"""Makes the models and prompts of decode_bench.cc and times transformers on them.

usage: reference.py FOLDER THREADS. Writes FOLDER/NAME (a model folder) and FOLDER/cases.json: [{"model", "dtype",
"prompts": [[id]], "new_tokens", "seconds"}]. Every prompt gets all its new tokens: the end-of-sequence token is off.
"""
import json
import os
import sys
import time

import torch
from transformers import MistralConfig, MistralForCausalLM

BATCH = 200
# About the demo's model, and a Mistral of 125 M parameters.
MODELS = {
    "demo": dict(config=dict(vocab_size=768, hidden_size=96, intermediate_size=264, num_hidden_layers=8,
                             num_attention_heads=4, num_key_value_heads=2, head_dim=24, max_position_embeddings=256),
                 prompt_tokens=(15, 30), new_tokens=20, runs=3),
    "125m": dict(config=dict(vocab_size=32000, hidden_size=768, intermediate_size=2048, num_hidden_layers=12,
                             num_attention_heads=12, num_key_value_heads=4, head_dim=64, max_position_embeddings=2048),
                 prompt_tokens=(40, 64), new_tokens=12, runs=1),
}


def prompts_of(spec):
    low, high = spec["prompt_tokens"]
    lengths = torch.randint(low, high + 1, (BATCH,)).tolist()
    return [torch.randint(3, spec["config"]["vocab_size"], (length,)).tolist() for length in lengths]


@torch.inference_mode()
def seconds_of(model, prompts, new_tokens, runs):
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])

    def run(count):
        start = time.perf_counter()
        model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=count, min_new_tokens=count,
                       pad_token_id=0)
        return time.perf_counter() - start

    run(2)
    return min(run(new_tokens) for _ in range(runs))


def main(folder, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    cases = []
    for name, spec in MODELS.items():
        config = MistralConfig(sliding_window=None, bos_token_id=1, eos_token_id=2, pad_token_id=0, **spec["config"])
        model = MistralForCausalLM(config).eval()
        model.save_pretrained(os.path.join(folder, name))
        prompts = prompts_of(spec)
        for dtype in (torch.float32, torch.bfloat16):
            seconds = seconds_of(model.to(dtype), prompts, spec["new_tokens"], spec["runs"])
            cases.append(dict(model=name, dtype=str(dtype).removeprefix("torch."), prompts=prompts,
                              new_tokens=spec["new_tokens"], seconds=seconds))
    with open(os.path.join(folder, "cases.json"), "w") as file:
        json.dump(cases, file)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
