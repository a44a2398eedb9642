// SPDX-License-Identifier: Apache-2.0
// Implements wire_reader.h (protobuf.dev/programming-guides/encoding).
#include "worker/text/wire_reader.h"

#include <bit>

#include "absl/strings/str_cat.h"

namespace heterosis {

float WireField::AsFloat() const {
  return std::bit_cast<float>(static_cast<uint32_t>(integer));
}

bool WireReader::ReadVarint(uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && at_ < message_.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(message_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool WireReader::ReadFixed(size_t length, uint64_t& value) {
  if (message_.size() - at_ < length) return false;
  value = 0;
  for (size_t i = 0; i < length; ++i) {
    value |= static_cast<uint64_t>(static_cast<unsigned char>(message_[at_ + i])) << (8 * i);
  }
  at_ += length;
  return true;
}

absl::Status WireReader::Next(WireField& field) {
  const size_t begin = at_;
  const auto broken = [&](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat("byte ", begin, ": ", what, "; the file is cut short or damaged"));
  };
  uint64_t tag = 0;
  if (!ReadVarint(tag)) return broken("no field begins here");
  field.number = static_cast<uint32_t>(tag >> 3);
  if (field.number == 0 || (tag >> 3) > 0x1FFFFFFF) return broken("the field number is out of range");
  switch (tag & 7) {
    case 0:
      field.kind = WireField::Kind::kVarint;
      return ReadVarint(field.integer) ? absl::OkStatus() : broken("a broken integer");
    case 1:
      field.kind = WireField::Kind::kFixed64;
      return ReadFixed(8, field.integer) ? absl::OkStatus() : broken("a broken number");
    case 2: {
      field.kind = WireField::Kind::kBytes;
      uint64_t length = 0;
      if (!ReadVarint(length) || length > message_.size() - at_) return broken("a field longer than the message");
      field.bytes = message_.substr(at_, length);
      at_ += length;
      return absl::OkStatus();
    }
    case 5:
      field.kind = WireField::Kind::kFixed32;
      return ReadFixed(4, field.integer) ? absl::OkStatus() : broken("a broken number");
    default:
      return broken("an unknown kind of field");
  }
}

}  // namespace heterosis
