# SPDX-License-Identifier: Apache-2.0
"""Makes the models of merge_bench.cc and times mergekit's merges of them.

usage: reference.py FOLDER THREADS. Writes the model folders FOLDER/{base,a,b,c} (bfloat16, fine-tunes of one random
base) and FOLDER/cases.json: [{"method", "dtype", "seconds"}]. Only the merged tensors are asked for and nothing is
written: the time is that of reading the files, which are in the page cache, and of merging. Imports are not counted.
"""
import json
import logging
import os
import sys
import time

import torch
from mergekit.config import MergeConfiguration
from mergekit.graph import Executor
from mergekit.io.tasks import LoaderCache
from mergekit.merge import _model_out_config, get_architecture_info
from mergekit.options import MergeOptions
from mergekit.plan import MergePlanner
from transformers import MistralConfig, MistralForCausalLM

CONFIG = dict(vocab_size=16000, hidden_size=768, intermediate_size=2048, num_hidden_layers=8, num_attention_heads=12,
              num_key_value_heads=4, max_position_embeddings=2048)
METHODS = ("linear", "slerp", "task_arithmetic", "ties", "dare_linear", "dare_ties")


def make_models(folder):
    torch.manual_seed(0)
    model = MistralForCausalLM(MistralConfig(sliding_window=None, **CONFIG))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for name in ("base", "a", "b", "c"):
        shift = 0.0 if name == "base" else 0.001
        model.load_state_dict({key: value + torch.randn_like(value) * shift for key, value in state.items()})
        model.to(torch.bfloat16).save_pretrained(os.path.join(folder, name))
        model.to(torch.float32)


def config_of(folder, method, dtype):
    names = ["a"] if method == "slerp" else ["a", "b", "c"]
    values = {} if method == "slerp" else {"weight": 0.4}
    if method in ("ties", "dare_linear", "dare_ties"):
        values["density"] = 0.5
    config = {"merge_method": method, "dtype": dtype, "out_dtype": "bfloat16",
              "models": [{"model": os.path.join(folder, name), "parameters": values} for name in names]}
    if method != "linear":
        config["base_model"] = os.path.join(folder, "base")
    if method == "slerp":
        config["parameters"] = {"t": 0.4}
    return MergeConfiguration.model_validate(config)


def seconds_of(config):
    options = MergeOptions(random_seed=1, quiet=True)
    start = time.perf_counter()
    LoaderCache().setup(options=options)
    architecture = get_architecture_info(config, options)
    planner = MergePlanner(config, architecture, options=options,
                           out_model_config=_model_out_config(config, architecture))
    saved = planner.plan_to_disk(out_path=os.devnull)
    tensors = [task.tensor_task for task in saved if hasattr(task, "tensor_task")]
    for _ in Executor(tensors, math_device="cpu", storage_device="cpu").run(quiet=True):
        pass
    return time.perf_counter() - start


def main(folder, threads):
    torch.set_num_threads(threads)
    logging.disable(logging.WARNING)
    make_models(folder)
    seconds_of(config_of(folder, "linear", "bfloat16"))  # the files come into the page cache
    cases = []
    for method in METHODS:
        for dtype in ("float32", "bfloat16"):
            runs = 1 if method == "ties" else 3
            seconds = min(seconds_of(config_of(folder, method, dtype)) for _ in range(runs))
            cases.append(dict(method=method, dtype=dtype, seconds=seconds))
            print(method, dtype, f"{seconds:.2f} s", file=sys.stderr)
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as file:
        json.dump(cases, file)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), int(sys.argv[2]))
