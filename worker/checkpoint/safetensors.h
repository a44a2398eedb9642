// SPDX-License-Identifier: Apache-2.0
// The safetensors format: 8 bytes of header length (little endian), a JSON header, the tensors' bytes. As strict as the
// reference reader (safetensors/src/tensor.rs).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "worker/checkpoint/tensor.h"

namespace heterosis {

// One tensor of a file. `dtype` is the format's own name ("BF16", "I64", ...): a file may hold tensors of types that no
// weight of ours can have.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // inside the mapping, not necessarily aligned
};

// The entries of a mapped file, in the order of their bytes. `path` is for the messages only. Refused: a header above
// 100 MB or beyond the file, one that is not a JSON object of the right shape, duplicate names, unknown dtypes, sizes
// that overflow or contradict the offsets, and bytes that do not cover the file without hole, overlap or rest.
absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensors(std::span<const std::byte> file,
                                                               const std::string& path);

// A weight's view: F32, BF16 or F16, aligned to its elements. The error names the tensor and the remedy.
absl::StatusOr<ConstTensor> WeightOf(const SafetensorsEntry& entry);

// Writes (and syncs) a file that holds `tensors`; larger element types come first, so that all are aligned.
absl::Status WriteSafetensors(const std::string& path, std::span<const ConstTensor> tensors);

}  // namespace heterosis
