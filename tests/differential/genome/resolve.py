# SPDX-License-Identifier: Apache-2.0
"""What mergekit makes of each *.yml in a folder: the parameters of every tensor, as its planner resolves them.

Usage: resolve.py FOLDER OUT.json. Nothing is merged; the models' headers are read.
"""

import json
import pathlib
import sys

import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import _model_out_config, get_architecture_info
from mergekit.options import MergeOptions
from mergekit.plan import MergePlanner


def resolve(path: pathlib.Path):
    config = MergeConfiguration.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    options = MergeOptions()
    architecture = get_architecture_info(config, options)
    planner = MergePlanner(config, architecture, options, _model_out_config(config, architecture))
    tensors = {}
    for target in planner.plan_in_memory():
        task = target.tensor_task
        per_model = {model.model.path: dict(values) for model, values in task.input_parameters.items()}
        tensors[target.weight_info.name] = {"shared": dict(task.parameters), "models": per_model}
    return {"method": config.merge_method, "dtype": config.dtype, "out_dtype": config.out_dtype, "tensors": tensors}


def main():
    folder, out = map(pathlib.Path, sys.argv[1:])
    result = {path.name: resolve(path) for path in sorted(folder.glob("*.yml"))}
    out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
