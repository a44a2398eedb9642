// SPDX-License-Identifier: Apache-2.0
// Certificates and private keys in PEM files, checked before they are used: gRPC only says "handshake failed" of a key
// that belongs to another certificate, or of one that ran out last night.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

// A certificate chain and the key of its first certificate, as PEM texts.
struct KeyPair {
  std::string certificate_chain;
  std::string private_key;
};

// Reads both; the key must be private to its owner (secret.h), belong to the certificate and have no passphrase, and
// the certificate must be valid today. An error names the file, the option (`--tls-cert`, `--tls-key`) and the remedy.
absl::StatusOr<KeyPair> ReadKeyPair(const std::string& certificate_path, const std::string& key_path);

// Reads the certificates of authorities, at least one; `option` stands in the error.
absl::StatusOr<std::string> ReadAuthorities(const std::string& path, const std::string& option);

}  // namespace heterosis
