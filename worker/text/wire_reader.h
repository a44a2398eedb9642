// SPDX-License-Identifier: Apache-2.0
// Reads protobuf's wire format field by field; libprotobuf is not needed for the one message that we read.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace heterosis {

// One field; which member counts depends on how it was written.
struct WireField {
  enum class Kind { kVarint, kFixed64, kBytes, kFixed32 };
  uint32_t number = 0;
  Kind kind = Kind::kVarint;
  uint64_t integer = 0;    // kVarint, kFixed64, kFixed32
  std::string_view bytes;  // kBytes; points into the message

  float AsFloat() const;  // of kFixed32
};

class WireReader {
 public:
  explicit WireReader(std::string_view message) : message_(message) {}

  bool AtEnd() const { return at_ == message_.size(); }
  // Reads the next field; an error says at which byte the message is broken. Groups are refused.
  absl::Status Next(WireField& field);

 private:
  bool ReadVarint(uint64_t& value);
  bool ReadFixed(size_t length, uint64_t& value);

  std::string_view message_;
  size_t at_ = 0;
};

}  // namespace heterosis
