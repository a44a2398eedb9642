// SPDX-License-Identifier: Apache-2.0
// Implements digest.h with OpenSSL.
#include "common/base/digest.h"

#include <openssl/evp.h>

#include <array>

#include "common/base/file.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

std::string Sha256OfBytes(const void* data, size_t size) {
  std::array<unsigned char, 32> digest{};
  unsigned int length = 0;
  EVP_Digest(data, size, digest.data(), &length, EVP_sha256(), nullptr);
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace

std::string Sha256(std::string_view text) {
  return Sha256OfBytes(text.data(), text.size());
}

absl::StatusOr<std::string> Sha256OfFile(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  return Sha256OfBytes(file.bytes().data(), file.bytes().size());
}

}  // namespace heterosis
