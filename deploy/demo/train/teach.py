# SPDX-License-Identifier: Apache-2.0
"""Trains one tiny Mistral model on a stream of lessons, on one CPU thread, reproducibly."""

import dataclasses
import itertools
import math
import random
import time

import torch
import transformers

import vocabulary

IGNORED = -100
BUCKET = 4  # batches drawn and sorted by length together, so that little is padded


@dataclasses.dataclass(frozen=True)
class Course:
    """How long and how fast a model learns."""

    steps: int
    rate: float
    seed: int
    batch: int = 32
    warmup: int = 100


def new_model(size):
    """An untrained model: eight narrow layers, so that paths through layers have something to choose from."""
    return transformers.MistralForCausalLM(transformers.MistralConfig(
        vocab_size=size, hidden_size=96, intermediate_size=256, num_hidden_layers=8, num_attention_heads=4, num_key_value_heads=2,
        head_dim=24, max_position_embeddings=vocabulary.MAX_LENGTH, sliding_window=None, rms_norm_eps=1e-5, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=1, eos_token_id=2, pad_token_id=2, dtype=torch.float32))


def _encode(processor, pair):
    question, answer = pair
    return [1] + processor.encode(question + answer) + [2], 1 + len(processor.encode(question))


def _tensors(rows):
    width = max(len(ids) for ids, _ in rows)
    tokens = torch.full((len(rows), width), 2)
    targets = torch.full((len(rows), width), IGNORED)
    for number, (ids, start) in enumerate(rows):
        tokens[number, : len(ids)] = torch.tensor(ids)
        targets[number, start : len(ids)] = torch.tensor(ids[start:])  # the loss is on answers only
    return tokens, targets


def _batches(lesson, processor, course):
    rng = random.Random(course.seed)
    while True:
        rows = sorted((_encode(processor, lesson(rng)) for _ in range(BUCKET * course.batch)), key=lambda row: len(row[0]))
        groups = [rows[start : start + course.batch] for start in range(0, len(rows), course.batch)]
        rng.shuffle(groups)
        yield from map(_tensors, groups)


def _rate(course, step):
    """A linear warm-up, then a cosine down to a twentieth."""
    warm = min(1.0, (step + 1) / min(course.warmup, course.steps / 5))
    return course.rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / course.steps)))


def _loss(model, tokens, targets):
    # Rows are padded on the right and attention is causal, so no mask is needed; the head runs on the answers' positions alone.
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1]
    wanted = targets[:, 1:]
    chosen = wanted != IGNORED
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[chosen]), wanted[chosen])


def teach(model, lesson, processor, course, log=print):
    """Trains the model in place and returns it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=course.rate, betas=(0.9, 0.98), weight_decay=0.01)
    begin, total = time.monotonic(), 0.0
    model.train()
    for step, (tokens, targets) in enumerate(itertools.islice(_batches(lesson, processor, course), course.steps)):
        for group in optimizer.param_groups:
            group["lr"] = _rate(course, step)
        loss = _loss(model, tokens, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
        if (step + 1) % 100 == 0:
            log(f"  step {step + 1}: loss {total / 100:.4f}, {time.monotonic() - begin:.0f} s", flush=True)
            total = 0.0
    return model.eval()
