// SPDX-License-Identifier: Apache-2.0
// The bytes of an optimizer's snapshot: "HETOPT02", then fields in a fixed order, then the SHA-256 of all before it (64
// hexadecimal digits). Numbers are 64 bits, little-endian; texts and arrays have their length before them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

class SnapshotWriter {
 public:
  SnapshotWriter();
  void Uint64(uint64_t value);
  void Double(double value);
  void Doubles(std::span<const double> values);
  void Text(std::string_view text);
  // The finished bytes; the writer is used up.
  std::string Seal() &&;

 private:
  std::string bytes_;
};

// Reads fields in the order in which they were written. Past the end, or at a length that does not fit, it returns
// zeros and empty values, and status() says so from then on.
class SnapshotReader {
 public:
  // Checks the bytes as a whole: DataLoss where they are damaged, FailedPrecondition where another version wrote them.
  // `bytes` must outlive the reader.
  static absl::StatusOr<SnapshotReader> Open(std::string_view bytes);

  uint64_t Uint64();
  double Double();
  std::vector<double> Doubles();
  std::string Text();
  absl::Status status() const { return status_; }
  // status(), or an error where fields are left unread.
  absl::Status Finish() const;

 private:
  explicit SnapshotReader(std::string_view fields) : rest_(fields) {}
  std::string_view Take(uint64_t count);

  std::string_view rest_;
  absl::Status status_;
};

}  // namespace heterosis
