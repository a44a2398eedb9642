// SPDX-License-Identifier: Apache-2.0
// The alphabet of byte-level BPE: each byte is written as one printable character (GPT-2's bytes_to_unicode).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heterosis {

// Every byte of `text` as its character.
std::string BytesToByteLevel(std::string_view text);

// The bytes that `token` stands for; a token that has a character outside the alphabet stands for its own UTF-8.
std::string ByteLevelToBytes(std::string_view token);

// The byte of a token "<0x0A>" (byte fallback), or -1.
int ByteOfFallbackToken(std::string_view token);

}  // namespace heterosis
