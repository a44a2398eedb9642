// SPDX-License-Identifier: Apache-2.0
// Tokens that stand for bytes: the alphabet of byte-level BPE, where each byte is written as one printable character
// (GPT-2's bytes_to_unicode), and the tokens <0x00> ... <0xFF> of byte fallback.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace heterosis {

// Every byte of `text` as its character.
std::string BytesToByteLevel(std::string_view text);

// The bytes that `token` stands for; a token that has a character outside the alphabet stands for its own UTF-8.
std::string ByteLevelToBytes(std::string_view token);

// How many bytes at the end of `bytes` may be the beginning of a character whose rest is still to come: 0 ... 3.
size_t IncompleteUtf8Tail(std::string_view bytes);

// The byte of a token "<0x0A>" (byte fallback), or -1.
int ByteOfFallbackToken(std::string_view token);

}  // namespace heterosis
