# SPDX-License-Identifier: Apache-2.0
"""The rules of the source tree: who may include whom (docs/architecture.md has the same table), and through which folders other
people's libraries come in. A new dependency is a new line here, seen in review."""

# Folders with sources of ours, and the limits for every source file.
TOP_FOLDERS = ("proto", "common", "coordinator", "worker", "deploy", "tests", "docs", "cmake")
SKIPPED_FOLDERS = {"__pycache__", "models", "data"}  # the last two: of deploy/demo, no sources
LINES_MAX = 500
LONG_FILES: dict[str, str] = {}  # path -> why it may be longer

# What each folder may include besides itself and common/base. A row holds for its subfolders too, unless they have their own. An
# entry is a folder, or a single header. `schema` is the config schema's generated headers, `protocol` the other generated ones.
INCLUDES = {
    "common/base": [],
    "common/genome": [],
    "common/dataset": [],
    "common/trial": ["common/genome", "common/dataset/problem.h"],
    "common/scoring": ["common/dataset", "common/trial"],
    "common/config": ["common/genome", "common/dataset", "common/scoring", "common/trial", "schema"],
    "proto": ["common/genome", "common/trial", "common/config", "protocol"],
    "coordinator/optimizer": [],
    "coordinator/scheduler": ["common/trial"],
    "coordinator/store": ["common/genome", "common/trial"],
    "coordinator/experiment": [
        "common/genome", "common/dataset", "common/trial", "common/scoring", "common/config", "schema",
        "coordinator/optimizer", "coordinator/scheduler", "coordinator/store"],
    "coordinator/service": ["common/trial", "proto", "protocol", "coordinator/experiment", "coordinator/scheduler"],
    # The read-only commands. `check` needs what a run would start from (inputs, phase plans), never the running experiment.
    "coordinator/cli": [
        "common/genome", "common/config", "common/scoring/fitness.h", "common/trial", "coordinator/store", "schema",
        "coordinator/experiment/inputs.h", "coordinator/experiment/phase_plan.h"],
    "worker/text": [],
    "worker/device": [],
    "worker/checkpoint": ["common/genome", "worker/device"],
    "worker/model": ["common/genome", "common/trial", "worker/device", "worker/checkpoint"],
    "worker/merge": ["common/genome", "common/trial", "worker/device", "worker/checkpoint", "worker/model"],
    "worker/decode": ["common/genome", "common/trial", "worker/device", "worker/checkpoint", "worker/model"],
    "worker/evaluate": [
        "common/genome", "common/dataset", "common/trial", "common/scoring", "worker/text", "worker/device",
        "worker/checkpoint", "worker/model", "worker/merge", "worker/decode"],
    # The network side is built and tested without libtorch.
    "worker/session": ["common/genome", "common/trial", "proto", "protocol", "worker/evaluate/trial_runner.h"],
    # The evaluation in a process of its own: both ends, without libtorch.
    "worker/supervisor": ["common/genome", "common/trial", "proto", "protocol", "worker/evaluate/trial_runner.h"],
    "worker/cli": [
        "common/genome", "common/dataset", "common/trial", "common/scoring", "common/config", "worker/text", "worker/device",
        "worker/checkpoint", "worker/model", "worker/merge", "worker/decode", "worker/evaluate",
        "coordinator/store/reader.h"],  # `worker merge --db`
    # What stands directly in a program's folder puts it together and may include all of it.
    "coordinator": ["common", "proto", "coordinator"],
    "worker": ["common", "proto", "worker"],
}

# Other people's headers, by the beginning of the include: the folders or files through which they come in, and nowhere else.
DOORS = {
    "grpc": ["coordinator/service", "worker/session", "proto/channel.cc"],
    "heterosis/v1/worker_service.grpc.pb.h": ["coordinator/service", "worker/session"],
    "heterosis/v1/admin_service.grpc.pb.h": ["coordinator/service"],
    "google/protobuf": ["proto", "common/config", "coordinator/service", "worker/session"],
    "sqlite3.h": ["coordinator/store"],
    "ATen/": ["worker/device", "worker/model", "worker/decode"],
    "c10/": ["worker/device", "worker/model", "worker/decode"],
    "torch/": [],  # torch/torch.h alone costs 23 CPU seconds a file
    "yaml-cpp/": ["common/config", "common/genome/yaml_document.h", "common/genome/yaml_document.cc", "common/genome/mergekit_reader.cc"],
    "fasttext/": ["common/scoring"],
    "spdlog/": ["common/base/logging.cc"],
    "nlohmann/": ["common/base/json.h", "common/base/json.cc"],
    "openssl/": ["common/base/digest.cc", "common/base/pem.cc"],
    "pcre2.h": ["worker/text"],
    "utf8proc.h": ["common/scoring", "worker/text"],
    "cblas.h": ["coordinator/optimizer"],
    "lapacke.h": ["coordinator/optimizer"],
    "CLI/": ["coordinator/main.cc", "worker/main.cc"],
}

# Names in quotes that are no headers of ours.
THIRD_PARTY_QUOTED = ("absl/", "google/", "gtest/", "gmock/", "yaml-cpp/", "spdlog/", "nlohmann/", "CLI/", "fasttext/", "ATen/", "c10/", "heterosis/v1/")
