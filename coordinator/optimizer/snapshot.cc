// SPDX-License-Identifier: Apache-2.0
// Implements snapshot.h.
#include "coordinator/optimizer/snapshot.h"

#include <bit>
#include <cstring>
#include <utility>

#include "common/base/digest.h"

namespace heterosis {
namespace {

// Arrays are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little, "the snapshot format is little-endian");

constexpr std::string_view kFormat = "HETOPT";
constexpr std::string_view kVersion = "02";
constexpr size_t kDigestSize = 64;

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(std::string("optimizer snapshot is damaged: ").append(what));
}

}  // namespace

SnapshotWriter::SnapshotWriter() {
  bytes_.append(kFormat).append(kVersion);
}

void SnapshotWriter::Uint64(uint64_t value) {
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void SnapshotWriter::Double(double value) {
  Uint64(std::bit_cast<uint64_t>(value));
}

void SnapshotWriter::Doubles(std::span<const double> values) {
  Uint64(values.size());
  bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

void SnapshotWriter::Text(std::string_view text) {
  Uint64(text.size());
  bytes_.append(text);
}

std::string SnapshotWriter::Seal() && {
  bytes_ += Sha256(bytes_);
  return std::move(bytes_);
}

absl::StatusOr<SnapshotReader> SnapshotReader::Open(std::string_view bytes) {
  const size_t header_size = kFormat.size() + kVersion.size();
  if (bytes.size() < header_size + kDigestSize) return Damaged("it is too short");
  if (bytes.substr(0, kFormat.size()) != kFormat) return Damaged("it does not begin as a snapshot does");
  const std::string_view body = bytes.substr(0, bytes.size() - kDigestSize);
  if (Sha256(body) != bytes.substr(body.size())) return Damaged("its checksum does not match");
  const std::string_view version = bytes.substr(kFormat.size(), kVersion.size());
  if (version != kVersion) {
    return absl::FailedPreconditionError(std::string("optimizer snapshot has format version ")
                                             .append(version)
                                             .append(", this program reads ")
                                             .append(kVersion)
                                             .append(": continue with the program that wrote it"));
  }
  return SnapshotReader(body.substr(header_size));
}

std::string_view SnapshotReader::Take(uint64_t count) {
  if (count > rest_.size()) {
    status_ = Damaged("a field reaches past its end");
    rest_ = {};
    return {};
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

uint64_t SnapshotReader::Uint64() {
  uint64_t value = 0;
  const std::string_view bytes = Take(sizeof(value));
  if (bytes.size() == sizeof(value)) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

double SnapshotReader::Double() {
  return std::bit_cast<double>(Uint64());
}

std::vector<double> SnapshotReader::Doubles() {
  const uint64_t count = Uint64();
  // Divided, not multiplied: a length out of range must not wrap round.
  const std::string_view bytes = Take(count > rest_.size() / sizeof(double) ? UINT64_MAX : count * sizeof(double));
  std::vector<double> values(bytes.size() / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::string SnapshotReader::Text() {
  return std::string(Take(Uint64()));
}

absl::Status SnapshotReader::Finish() const {
  if (status_.ok() && !rest_.empty()) return Damaged("it is longer than its fields");
  return status_;
}

}  // namespace heterosis
