# SPDX-License-Identifier: Apache-2.0
# Trains tokenizers with sentencepiece and tokenizers, and writes what these libraries make of many lines of text.
"""Usage: make_tokenizer_cases.py SHARED_FOLDER OUT_FOLDER LINE_COUNT

OUT/lines.bin: records (u32 length, bytes). OUT/<name>/: a model folder (tokenizer.json or tokenizer.model) with
  expected.bin: per line u32 count, i32 ids with special tokens, and records of the ids decoded without and with them
  decode.bin:   random ids in the same form, for decoding alone
For tokenizer.json the lines are decoded with errors="replace" before; sentencepiece takes the bytes. Where sentencepiece
is the reference, BOS is put before its ids, and only decoding without special tokens is compared.
"""
import io
import json
import os
import random
import struct
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
SPECIALS = ["<unk>", "<s>", "</s>"]
MARKS = SPECIALS + ["<|im_start|>", "<|im_end|>", "<|eot_id|>", "[INST]", "<0x0A>", "<0xE3>", "\u2581", "\u2581\u2581", "💡"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u3000", "\u0085", "\u180e", "\u200b", "\u2028", "\u2003", "\x0b", "\x1f"]
RANGES = [(0x20, 0x7E), (0, 0x1F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
          (0x1100, 0x11FF), (0x2000, 0x206F), (0x2460, 0x24FF), (0x2580, 0x25FF), (0x3040, 0x30FF), (0x4E00, 0x9FEF), (0xAC00, 0xD7A3),
          (0xF900, 0xFA6D), (0xFB00, 0xFB06), (0xFF00, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F), (0x1F900, 0x1F9FF), (0x20000, 0x2A6D6)]


def corpus(shared):
    texts = []
    for language in ("ja", "en", "th", "te", "ru", "zh", "de"):
        with open(f"{shared}/data/mgsm/mgsm_{language}.tsv", encoding="utf-8") as file:
            texts += [line.rstrip("\n") for line in file]
    for path, key in (("gsm8k/test.jsonl", "answer"), ("msvamp_ja/test_Japanese.json", "m_query")):
        with open(f"{shared}/data/{path}", encoding="utf-8") as file:
            texts += [json.loads(line)[key] for line in file]
    return texts


def random_piece(rng, texts):
    kind = rng.randrange(10)
    if kind < 4:
        text = rng.choice(texts)
        begin = rng.randrange(len(text))
        return text[begin:begin + rng.randrange(1, 60)]
    if kind == 4:
        return rng.choice(MARKS)
    if kind == 5:
        return "".join(rng.choice(SPACES) for _ in range(rng.randrange(1, 4)))
    if kind == 6:
        return rng.choice(["", "-", "$", "¥"]) + str(rng.randrange(10 ** rng.randrange(1, 12))) + rng.choice(["", ",000", ".5", "%"])
    if kind == 7:
        return rng.choice(["'s", "'LL", "'\u017f", "don't", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "e\u0301", "か\u3099", "İI", "\ufeff", "ﬁ", "㌔"])
    low, high = rng.choice(RANGES)
    return "".join(chr(rng.randint(low, high)) for _ in range(rng.randrange(1, 8)))


def make_lines(texts, count):
    rng = random.Random(20240319)
    lines = [b"", b" ", b"  ", b"\n", b"\xff", b"\xe3\x81", b"\0", "▁".encode(), b"a" * 3000, b" " * 500, "あ".encode() * 1000]
    lines += [text.encode() for text in rng.sample(texts, count // 4)]
    while len(lines) < count:
        line = "".join(random_piece(rng, texts) for _ in range(rng.randrange(1, 9))).encode()
        if rng.random() < 0.15:  # broken UTF-8: bytes lost, changed and put in
            line = bytearray(line)
            for _ in range(rng.randrange(1, 5)):
                place = rng.randrange(len(line) + 1)
                line[place:place + rng.randrange(3)] = bytes(rng.randrange(128, 256) for _ in range(rng.randrange(3)))
            line = bytes(line)
        lines.append(line)
    return lines[:count]


def train_sentencepiece(texts, path, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.replace("\n", " ") for text in texts), model_writer=model, model_type="bpe", num_threads=1,
        minloglevel=2, hard_vocab_limit=False, **options)
    os.makedirs(path)
    with open(f"{path}/tokenizer.model", "wb") as file:
        file.write(model.getvalue())


def merges_of(model):
    """The vocabulary and merges that transformers' converter derives from a SentencePiece BPE model."""
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    ids = {piece: i for i, piece in enumerate(pieces)}
    normal = {p for i, p in enumerate(pieces) if not (model.is_control(i) or model.is_unknown(i) or model.is_byte(i))}
    merges = []
    for piece in sorted(normal, key=lambda p: ids[p]):
        local = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in normal and piece[i:] in normal]
        merges += sorted(local, key=lambda pair: (ids[pair[0]], ids[pair[1]]))
    return ids, merges


def special(content, **options):
    return AddedToken(content, special=True, normalized=False, **options)


def frame(tokenizer, bos="<s>", eos=None):
    single = f"{bos} $A" + (f" {eos}" if eos else "")
    names = [bos] + ([eos] if eos else [])
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=None, special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])


def byte_fallback(model_path, metaspace):
    ids, merges = merges_of(sentencepiece.SentencePieceProcessor(model_file=model_path))
    tokenizer = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([special(token) for token in SPECIALS + ["<|im_start|>", "<|im_end|>"]])
    frame(tokenizer)
    return tokenizer


def train(tokenizer, texts, alphabet=(), vocab_size=1500):
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=SPECIALS, initial_alphabet=list(alphabet), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def byte_level(texts, pre_tokenizer, normalizer=None, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, texts, pre_tokenizers.ByteLevel.alphabet())
    tokenizer.add_special_tokens([special(token) for token in ("<|im_start|>", "<|im_end|>", "<|eot_id|>")])
    frame(tokenizer, eos="<|im_end|>")
    return tokenizer


def split_then_bytes(expression, *more):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), "isolated"), *more, pre_tokenizers.ByteLevel(False, use_regex=False)])


def metaspace(texts, scheme, split):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme=scheme, split=split)
    tokenizer.decoder = decoders.Metaspace("▁", prepend_scheme=scheme)
    if not split:  # training without cuts makes whole sentences
        texts = [text[i:i + 8] for text in texts for i in range(0, len(text), 8)]
    train(tokenizer, texts)
    tokenizer.add_special_tokens([special("<|im_start|>"), special("<|im_end|>", lstrip=True, rstrip=True)])
    return tokenizer


def words(texts):
    """The rarer parts: normalizers, pre-tokenizers and the flags of added tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"[\u3040-\u3042]|xy+"), "Q"), normalizers.Lowercase(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(individual_digits=True)])
    train(tokenizer, texts)
    # In its normal form: of others, versions of tokenizers decode the content or the normalized content; we the content.
    tokenizer.add_tokens([AddedToken("[inst]", normalized=True), AddedToken("the", single_word=True, normalized=False),
                          AddedToken("かな", lstrip=True, normalized=True), AddedToken("don't", rstrip=True, normalized=False)])
    return tokenizer


def splits(texts, behavior, invert, pattern=Regex(r"\s+|[0-9]|\w$")):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.NFD() if invert else normalizers.NFKD()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, behavior, invert=invert)
    train(tokenizer, [text[:40] for text in texts])
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def record(data):
    return struct.pack("<I", len(data)) + data


def entry(ids, without, with_special):
    return struct.pack(f"<I{len(ids)}i", len(ids), *ids) + record(without.encode()) + record(with_special.encode())


def random_ids(size):
    rng = random.Random(7)
    low = list(range(min(size, 300)))  # special tokens and bytes are here
    return [[rng.choice(low) if rng.random() < 0.6 else rng.randrange(size) for _ in range(rng.randrange(1, 30))] for _ in range(2000)]


def write(folder, expected, decode):
    with open(f"{folder}/expected.bin", "wb") as file:
        file.write(b"".join(expected))
    with open(f"{folder}/decode.bin", "wb") as file:
        file.write(b"".join(decode))


def write_sentencepiece(folder, lines):
    model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/tokenizer.model")
    bos = [model.bos_id()]
    expected = [entry(bos + ids, text, "") for ids in (model.encode(line) for line in lines) for text in [model.decode(ids)]]
    decode = [entry(ids, model.decode(ids), "") for ids in random_ids(model.get_piece_size())]
    write(folder, expected, decode)


def write_json(folder, tokenizer, lines):
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(f"{folder}/tokenizer.json")
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    ids = [encoding.ids for encoding in tokenizer.encode_batch([line.decode(errors="replace") for line in lines])]
    more = random_ids(tokenizer.get_vocab_size())

    def entries(batch):
        return [entry(*row) for row in zip(batch, tokenizer.decode_batch(batch), tokenizer.decode_batch(batch, skip_special_tokens=False))]
    write(folder, entries(ids), entries(more))


def main(shared, out, count):
    texts = corpus(shared)
    lines = make_lines(texts, count)
    with open(f"{out}/lines.bin", "wb") as file:
        file.write(b"".join(record(line) for line in lines))
    sample = texts[::3]
    pieces = {
        "spm_nfkc": dict(vocab_size=1800, byte_fallback=True, normalization_rule_name="nmt_nfkc", user_defined_symbols=["<|im_start|>", "💡"]),
        "spm_identity": dict(vocab_size=1800, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                             split_digits=True, allow_whitespace_only_pieces=True, character_coverage=0.99),
        "spm_unknown": dict(vocab_size=3000, byte_fallback=False, normalization_rule_name="nfkc_cf", add_dummy_prefix=False,
                            character_coverage=0.99, control_symbols=["<|im_end|>"]),
    }
    for name, options in pieces.items():
        train_sentencepiece(sample, f"{out}/{name}", **options)
    os.makedirs(f"{out}/demo_spm")
    with open(f"{shared}/demo/base/tokenizer.model", "rb") as source, open(f"{out}/demo_spm/tokenizer.model", "wb") as target:
        target.write(source.read())
    for name in list(pieces) + ["demo_spm"]:
        write_sentencepiece(f"{out}/{name}", lines)

    identity = f"{out}/spm_identity/tokenizer.model"
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizers = {
        "demo_json": Tokenizer.from_file(f"{shared}/demo/base/tokenizer.json"),
        "llama2": byte_fallback(identity, False),
        "mistral_v3": byte_fallback(identity, True),
        "llama3": byte_level(sample, split_then_bytes(LLAMA3), ignore_merges=True),
        "qwen2": byte_level(sample, split_then_bytes(QWEN2), normalizers.NFC()),
        "deepseek": byte_level(sample, split_then_bytes(r"\s?\p{L}+|\s?\p{P}+|[\u4e00-\u9fa5]+|\s+$", digits)),
        "gpt2": byte_level(sample, pre_tokenizers.ByteLevel(add_prefix_space=True)),
        "metaspace_always": metaspace(sample, "always", True),
        "metaspace_first": metaspace(sample, "first", True),
        "metaspace_never": metaspace(sample, "never", False),
        "words": words(sample),
        "literal": splits(sample, "merged_with_previous", False, "the"),
    }
    for behavior in ("removed", "merged_with_previous", "merged_with_next", "contiguous"):
        tokenizers["split_" + behavior] = splits(sample, behavior, behavior in ("removed", "contiguous"))
    for name, tokenizer in tokenizers.items():
        write_json(f"{out}/{name}", tokenizer, lines)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
