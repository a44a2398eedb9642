# SPDX-License-Identifier: Apache-2.0
"""Trains the SentencePiece vocabulary and writes it in the forms that Hugging Face folders hold."""

import json
import pathlib
import random

import sentencepiece
import tokenizers

import lessons

SIZE = 768
SEED = 20240319
LINES = {"base": 20000, "ja": 5000, "math": 5000}
SPECIAL = {"unk": (0, "<unk>"), "bos": (1, "<s>"), "eos": (2, "</s>")}
SPACE = "▁"
MAX_LENGTH = 256


def train(folder: pathlib.Path):
    """Trains on a sample of all lessons; returns the path of tokenizer.model."""
    corpus = folder / "corpus.txt"
    rng = random.Random(SEED)
    with corpus.open("w", encoding="utf-8") as out:
        for name, count in LINES.items():
            for _ in range(count):
                out.write("".join(lessons.LESSONS[name](rng)).replace("\n", " ") + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=SIZE, num_threads=1,
        byte_fallback=True, split_digits=True, character_coverage=1.0, max_sentencepiece_length=12,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=1)
    return folder / "tokenizer.model"


def load(path: pathlib.Path):
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def _merges(pieces):
    """The merges that build each piece, in the order in which SentencePiece prefers them (a lower id is a better score)."""
    special = {text for _, text in SPECIAL.values()}
    ids = {piece: number for number, piece in enumerate(pieces) if piece not in special and not piece.startswith("<0x")}
    found = []
    for piece, number in ids.items():
        halves = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        halves = [pair for pair in halves if pair[0] in ids and pair[1] in ids]
        found += [(number, ids[left], ids[right], left, right) for left, right in halves]
    return [(left, right) for _, _, _, left, right in sorted(found)]


def to_fast(processor):
    """The same vocabulary for the `tokenizers` library."""
    pieces = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    fast = tokenizers.Tokenizer(tokenizers.models.BPE(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=_merges(pieces), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    fast.add_special_tokens([tokenizers.AddedToken(text, normalized=False, special=True) for _, text in SPECIAL.values()])
    fast.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Prepend(SPACE), tokenizers.normalizers.Replace(" ", SPACE)])
    fast.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B:1", special_tokens=[("<s>", 1)])
    fast.decoder = tokenizers.decoders.Sequence([
        tokenizers.decoders.Replace(SPACE, " "), tokenizers.decoders.ByteFallback(), tokenizers.decoders.Fuse(),
        tokenizers.decoders.Strip(" ", 1, 0)])
    return fast


def write(processor_path: pathlib.Path, folder: pathlib.Path):
    """Writes tokenizer.model, tokenizer.json and tokenizer_config.json into a model's folder."""
    (folder / "tokenizer.model").write_bytes(processor_path.read_bytes())
    to_fast(load(processor_path)).save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "</s>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_LENGTH,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def check(processor_path: pathlib.Path, folder: pathlib.Path, count=1000):
    """Raises if the two forms disagree on fresh lessons, or if a prompt's ids are not the first ids of prompt and answer."""
    processor, fast = load(processor_path), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    rng = random.Random(SEED + 1)
    for number in range(count):
        lesson = list(lessons.LESSONS.values())[number % len(lessons.LESSONS)]
        question, answer = lesson(rng)
        ids = processor.encode(question + answer)
        if fast.encode(question + answer).ids != [1] + ids:
            raise ValueError(f"the two tokenizers differ on {question + answer!r}")
        if processor.encode(question) != ids[: len(processor.encode(question))]:
            raise ValueError(f"a piece spans the end of the prompt in {question + answer!r}")
        if fast.decode(fast.encode(question + answer).ids) != question + answer:
            raise ValueError(f"decoding does not return {question + answer!r}")
