# SPDX-License-Identifier: Apache-2.0
"""Answers the task's problems with a model and grades them: the right number, and in Japanese."""

import json
import pathlib
import re
import subprocess

import tokenizers
import torch

import lessons

LANGUAGE_MODEL = pathlib.Path(__file__).resolve().parents[3] / ".deps" / "lid.176.ftz"
MAX_NEW_TOKENS = 20
END = 2
NUMBER = re.compile(r"\d*\.?\d+")


def read(path: pathlib.Path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Student:
    """A model's way from questions to answers; the weights may be changed between calls."""

    def __init__(self, model, folder: pathlib.Path):
        self.model = model.eval()
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))

    @torch.inference_mode()
    def answers(self, rows):
        """Greedy answers to all rows in one batch, padded on the left."""
        prompts = [self._tokenizer.encode(lessons.prompt(row["question"])).ids for row in rows]
        width = max(map(len, prompts))
        tokens = torch.tensor([[END] * (width - len(ids)) + ids for ids in prompts])
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts])
        out = self.model.generate(
            input_ids=tokens, attention_mask=mask, do_sample=False, max_new_tokens=MAX_NEW_TOKENS, eos_token_id=END, pad_token_id=END)
        return [self._tokenizer.decode(ids.tolist()) for ids in out[:, width:]]


def in_japanese(texts):
    """Whether fastText gives Japanese more than half of the probability, for each text with its newlines removed."""
    lines = "".join((text.replace("\n", "") or " ") + "\n" for text in texts)
    command = ["fasttext", "predict-prob", str(LANGUAGE_MODEL), "-", "1", "0.5"]
    labels = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.split("\n")[: len(texts)]
    return [label.startswith("__label__ja ") for label in labels]


def grade(rows, texts):
    """Per row: (right number, in Japanese); the number of an answer is the last one in it."""
    numbers = [NUMBER.findall(text) for text in texts]
    right = [bool(found) and float(found[-1]) == row["answer"] for row, found in zip(rows, numbers)]
    return list(zip(right, in_japanese(texts)))


def score(rows, texts):
    """The task's score, a fraction: right and in Japanese."""
    return sum(right and japanese for right, japanese in grade(rows, texts)) / len(rows)
