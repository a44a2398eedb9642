# SPDX-License-Identifier: Apache-2.0
"""Trains the demo's vocabulary and models and writes them as Hugging Face folders; about a quarter of an hour on one CPU core."""

import argparse
import pathlib
import shutil
import tempfile

import torch
import transformers

import lessons
import teach
import vocabulary

BASE = "base"
COURSES = {
    "base": teach.Course(steps=4500, rate=3e-3, seed=101),
    "ja": teach.Course(steps=100, rate=2e-4, seed=102),
    "math": teach.Course(steps=200, rate=5e-4, seed=103),
}


def write(model, vocabulary_path, folder):
    """Replaces a model's folder in one step."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        new = pathlib.Path(temporary) / folder.name
        model.save_pretrained(new)
        vocabulary.write(vocabulary_path, new)
        vocabulary.check(vocabulary_path, new)
        if folder.exists():
            shutil.copytree(new, folder, dirs_exist_ok=True)
        else:
            new.rename(folder)


def make(name, out, vocabulary_path):
    """Trains one model, from scratch or from the base in `out`, and writes its folder."""
    course, processor = COURSES[name], vocabulary.load(vocabulary_path)
    torch.manual_seed(course.seed)
    if name == BASE:
        model = teach.new_model(processor.get_piece_size())
    else:
        model = transformers.MistralForCausalLM.from_pretrained(out / BASE, dtype=torch.float32)
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters, {course}", flush=True)
    write(teach.teach(model, lessons.LESSONS[name], processor, course), vocabulary_path, out / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "models")
    parser.add_argument("--only", nargs="+", choices=list(COURSES), default=list(COURSES), help="experts need the base in --out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        path = options.out / BASE / "tokenizer.model"
        if BASE in options.only:
            path = vocabulary.train(pathlib.Path(temporary))
        for name in options.only:
            make(name, options.out, path)


if __name__ == "__main__":
    main()
