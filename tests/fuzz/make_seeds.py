# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds from which the fuzz targets start into tests/fuzz/corpus: small valid inputs of each kind. Run it after a change of
a format and commit what it wrote. Inputs that once made a target fail lie beside them, named crash-*, and are left alone.
Usage: make_seeds.py (protoc must be installed)"""
import hashlib
import json
import pathlib
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
DEMO = ROOT / "deploy" / "demo"

RECIPE = {
    "version": 1, "method": "dare_ties", "base": "base", "sources": ["ja", "math"], "tokenizer": "base", "normalize": False, "lambda": 1.0,
    "rescale": "density", "mask": "counter", "mask_seed": 7, "dtype": "float32", "out_dtype": "bfloat16",
    "rows": [{"match": ["model.layers.0.*"], "weight": [0.5, 1.25], "density": [0.5, 0.75]}, {"match": ["*"], "weight": [1, 0], "density": [1, 1]}],
}
MERGEKIT = """merge_method: dare_ties
base_model: base
models:
  - model: ja
    parameters: {weight: [0, 0.5, 1], density: 0.5}
  - model: math
    parameters:
      weight:
        - {filter: mlp, value: 0.5}
        - value: 1
      density: 0.25
parameters: {normalize: false, int8_mask: true}
dtype: bfloat16
tokenizer_source: base
"""


def write(target: str, name: str, content: bytes | str) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def message(kind: str, text: str, file: str = "worker_service", package: str = "heterosis.v1") -> bytes:
    """`text` in protobuf's text format, as bytes on the wire."""
    return subprocess.run(["protoc", f"--proto_path={ROOT}/proto", f"--encode={package}.{kind}", f"heterosis/v1/{file}.proto"],
                          input=text.encode(), check=True, capture_output=True).stdout


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(text: str, score: float, kind: int) -> bytes:
    return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind]))


def sentencepiece_model(byte_fallback: bool) -> bytes:
    pieces = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3)
    if byte_fallback:
        pieces += b"".join(piece(f"<0x{byte:02X}>", 0, 6) for byte in range(256))
    for i, text in enumerate(["\u2581a", "a", "\u2581", "1", "b", "あ"]):
        pieces += piece(text, -i, 1)
    trainer = b"\x18\x02" + (b"\x98\x02\x01" if byte_fallback else b"")  # model_type BPE, byte_fallback
    normalizer = field(1, b"identity") + b"\x18\x01\x20\x00\x28\x01"
    return pieces + field(2, trainer) + field(3, normalizer)


def tokenizer_json(pre_tokenizer: dict | None, normalizer: dict | None, decoder: dict | None, byte_fallback: bool) -> str:
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "ab": 5, "\u2581": 6, "\u0120": 7, "1": 8, "\u2581a": 9}
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
                         for i, text in enumerate(["<unk>", "<s>", "</s>"])],
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": decoder,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": byte_fallback, "vocab": vocabulary, "merges": ["a b", "\u2581 a"]},
    }, ensure_ascii=False)


def safetensors(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def texts() -> None:
    write("json", "recipe", json.dumps(RECIPE))
    write("json", "kinds", '{"a": [1, -2.5e3, true, null, "\\u3042\\n"], "b": {"c": {}}, "d": 18446744073709551615}')
    write("recipe", "merge", json.dumps(RECIPE))
    part = {**RECIPE, "method": "linear", "base": "", "sources": ["ja"], "rows": [{"match": ["*"], "weight": [1], "density": []}]}
    write("recipe", "linear", json.dumps(part))
    hops = [{"part": 0, "layer": 0, "scale": 1}, {"part": 1, "layer": 3, "scale": 0.93}, {"part": 0, "layer": 7, "scale": 1.1}]
    write("recipe", "path", json.dumps({"version": 1, "parts": [part, part], "path": hops, "scale_applies_to": "branch", "out_dtype": "bfloat16"}))
    write("mergekit_yaml", "dare_ties", MERGEKIT)
    write("mergekit_yaml", "slerp", "merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\nparameters: {t: [0, 0.5, 1]}\ndtype: float32\n")
    for name in ["ps.yaml", "dfs.yaml", "ps-dfs.yaml"]:
        write("yaml_config", name, (DEMO / name).read_text())
    for i, text in enumerate(["The answer is 1,234.50 dollars.", "\\boxed{42}", "答えは−１２，３４５です", "x^2 = -3e5 5-3", "$-7.25", ".5.6"]):
        write("number", str(i), text)
    write("problems", "jsonl", 'j{"question": "1 + 1?", "answer": 2}\n{"question": "x", "answer": "#### 1,000"}\n')
    write("problems", "array", 'j[{"question": "1 + 1?", "answer": "2"}]')
    write("problems", "tsv", "t1 + 1?\t2\r\nx\t-3.50\n")
    write("chat_template", "loop", "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}<|{{ m['role'] }}|>\n{{ m.content | trim }}"
                                   "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}")
    write("chat_template", "set", "{%- set ns = namespace(n=0) -%}{% for m in messages[1:] %}{% set ns.n = ns.n + 1 %}{{ ns.n ~ m['content'][0:3] }}"
                                  "{% endfor %}{{ raise_exception('no ' + messages[0].role) if false else 'ok'|upper }}")


def files() -> None:
    write("model_config", "demo", (DEMO / "models/base/config.json").read_bytes())
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    write("model_config", "llama3", json.dumps({**json.loads((DEMO / "models/base/config.json").read_text()), "architectures": ["LlamaForCausalLM"],
                                                 "model_type": "llama", "rope_parameters": None, "rope_theta": 5e5, "rope_scaling": rope}))
    added = {"content": "<x>", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    write("model_config", "tokenizer", json.dumps({"added_tokens_decoder": {"9": added}, "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>",
                                                    "eos_token": {"__type": "AddedToken", "content": "</s>"}, "pad_token": None}))
    write("model_config", "added", json.dumps({"<x>": 9, "<y>": 10}))
    tensors = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
               "b": {"dtype": "BF16", "shape": [3], "data_offsets": [8, 14]}}
    write("safetensors", "two", safetensors(tensors, bytes(14)))
    write("safetensors", "empty", safetensors({"a": {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}}, b""))
    write("tokenizer_model", "bpe", sentencepiece_model(byte_fallback=False))
    write("tokenizer_model", "bytes", sentencepiece_model(byte_fallback=True))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    write("tokenizer_json", "byte_level", tokenizer_json(byte_level, {"type": "NFC"}, byte_level, byte_fallback=False))
    llama = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}
    decoder = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                                                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    write("tokenizer_json", "llama", tokenizer_json(None, llama, decoder, byte_fallback=True))
    split = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}| ?\\p{L}+"}, "behavior": "Isolated", "invert": False},
                                                   {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}]}
    write("tokenizer_json", "split", tokenizer_json(split, None, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}, False))


KEY = "key {trial: 1 shard: 0 attempt: 1000}"
ANSWERS = 'samples {sample: 0 correct: true number_ok: true language_ok: true text: "2" answer: "2" prompt_tokens: 5 new_tokens: 2 finish: "eos"} ' \
          'samples {sample: 1 text: "x" finish: "length"}'
STEP = "steps {" + " ".join(f"top {{token: {rank} logit: {20 - rank}}}" for rank in range(8)) + "} "
CANARY_ANSWERS = f"answers {{{4 * STEP}}} " * 3
PLAIN_RECIPE = 'version: 1 method: "linear" sources: "a" tokenizer: "a" lambda: 1 rescale: "density" mask: "counter" dtype: "float32" ' \
               'out_dtype: "bfloat16" rows {match: "*" weight: 1}'
TASK = 'prompt_template: "Q: {input}" max_new_tokens: 10 stop: "Q:" number_mode: "robust" language: "ja" language_threshold: 0.5 ' \
       'compute_dtype: "bfloat16" batch_size: 4'


def calls() -> None:
    write("messages", "recipe", message("Recipe", PLAIN_RECIPE))
    write("messages", "work", message("ShardWork", f'{KEY} recipe {{{PLAIN_RECIPE}}} split: "search" samples: 0 problems {{question: "1 + 1?" answer: "2"}}'))
    write("messages", "result", message("ShardResult", f"{KEY} {ANSWERS} merge_seconds: 0.5 decode_seconds: 1"))
    write("messages", "failure", message("ShardFailure", f'{KEY} failure: "numeric" message: "NaN"'))
    write("messages", "task", message("TaskSpec", TASK))
    write("messages", "canary", message("CanaryWork", f'number: 1 recipe {{{PLAIN_RECIPE}}} problems {{question: "1 + 1?" answer: "2"}} steps: 4 top: 8'))
    write("messages", "canary_result", message("CanaryResult", f"number: 1 {CANARY_ANSWERS}"))
    models = " ".join(f'models {{name: "{name}" digest: "digest of {name}"}}' for name in ["base", "ja", "math"])  # of SmallSetup
    register = message("RegisterRequest", 'protocol_version: 1 recipe_version: 1 worker: "w" device: "cpu"')
    lease = message("LeaseRequest", f'session: "*" {models} wait_seconds: 1')
    heartbeat = message("HeartbeatRequest", 'session: "*" run: "*" holding {}')
    result = message("ReportRequest", f'session: "*" run: "*" result {{{ANSWERS}}}')
    late = message("ReportRequest", f'session: "*" run: "*" result {{{KEY} {ANSWERS}}}')
    canary = message("ReportRequest", f'session: "*" run: "*" canary {{{CANARY_ANSWERS}}}')
    write("service", "run", b"-" + call(0, register) + call(1, lease) + call(2, heartbeat) + 2 * call(3, result) + call(3, late))
    write("service", "many", b"-" + 20 * (call(1, lease) + call(3, result)))
    for failure in ["crash", "numeric", "memory", "invalid", "infra"]:
        report = message("ReportRequest", f'session: "*" run: "*" failure {{failure: "{failure}" message: "x"}}')
        write("service", failure, b"-" + call(1, lease) + call(3, report) + call(5, bytes(61)) + call(1, lease))
    write("service", "canary", b"c" + call(1, lease) + call(3, canary) + 3 * (call(1, lease) + call(3, result)))
    second = [message("LeaseRequest", f'session: "fuzz-2" {models} device_error: true'),
              message("ReportRequest", f'session: "fuzz-2" run: "*" canary {{{CANARY_ANSWERS}}}'),
              message("ReportRequest", f'session: "fuzz-2" run: "*" result {{{ANSWERS}}}')]
    write("service", "two_workers", b"c" + call(0, register) + call(1, second[0]) + call(3, second[1]) + call(1, lease) + call(3, canary) +
          call(1, second[0]) + call(3, second[2]))
    questions = ['list_services: ""', 'file_containing_symbol: "heterosis.v1.WorkerService"', 'file_by_filename: "heterosis/v1/trial.proto"']
    reflection = [message("ServerReflectionRequest", text, "reflection", "grpc.reflection.v1alpha") for text in questions]
    write("service", "reflection", b"-" + b"".join(call(4, request) for request in reflection))


def call(rpc: int, request: bytes) -> bytes:
    return bytes([rpc]) + struct.pack("<H", len(request)) + request


def framed(kind: str, text: str) -> bytes:
    content = message(kind, text, "evaluation")
    return struct.pack("<I", len(content)) + content


def worker() -> None:
    replies = framed("EvaluationReply", "done: true") + framed("EvaluationReply", "progress: true") + framed("EvaluationReply", f"result {{{KEY} {ANSWERS}}}")
    write("evaluation", "replies", b"\0\0" + replies)
    write("evaluation", "died", b"\x09\0" + replies[:-5])
    write("evaluation", "canary", b"\x03\0" + framed("EvaluationReply", f"canary {{number: 1 {CANARY_ANSWERS}}}"))
    write("evaluation", "error", b"\0\0" + framed("EvaluationReply", 'error {code: 8 message: "out of memory" broken: true}'))
    setup = framed("EvaluationRequest", 'setup {gpu: -1 threads: 2 models {key: "a" value: "/models/a"} language_model: "lid.176.ftz"}')
    prepare = framed("EvaluationRequest", f"prepare {{{TASK}}}")
    shard = framed("EvaluationRequest", f'run {{{KEY} recipe {{{PLAIN_RECIPE}}} split: "search" samples: 0 problems {{question: "1 + 1?" answer: "2"}}}}')
    canary = framed("EvaluationRequest", f'canary {{number: 1 recipe {{{PLAIN_RECIPE}}} problems {{question: "1 + 1?" answer: "2"}} steps: 4 top: 8}}')
    write("evaluation", "requests", b"\0\0" + setup + prepare + shard + canary + framed("EvaluationRequest", "cancel: true"))
    report = message("SpooledReport", f'coordinator: "127.0.0.1:50551" run: "0123" result {{{KEY} {ANSWERS} merge_seconds: 0.5}}')
    file = f"heterosis spool 1 {hashlib.sha256(report).hexdigest()}\n".encode() + report
    write("spool", "report", b"s" + report)
    write("spool", "file", b"-" + file)
    write("spool", "half", b"-" + file[:-20])
    token, other = "0123456789abcdef", "fedcba9876543210"
    write("tokens", "admin", f"Bearer {token}\n\n# of the fleet\nworker {other}\nadmin\t{token}\r\n")
    write("tokens", "two_headers", f"Bearer {token}\nbearer {other}\n\nreader {token}\n")
    write("tokens", "client", f"\n\nworker {token}\n")


if __name__ == "__main__":
    texts()
    files()
    calls()
    worker()
