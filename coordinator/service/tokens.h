// SPDX-License-Identifier: Apache-2.0
// Who may call what: bearer tokens with roles. Only digests of tokens are kept, and none is ever logged.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

enum class Role {
  kWorker,  // takes work and hands in results
  kReader,  // sees how far a run has come
  kAdmin,   // all that a reader may, and stops the run
};
std::string_view Name(Role role);

// Immutable when it is in use, so that threads may share it.
class Tokens {
 public:
  // One `ROLE TOKEN` a line; empty lines and those that begin with # do not count. Several tokens may have one role, so
  // that they can be replaced one after the other. Errors are told as `PLACE:LINE: ...`, without the token.
  static absl::StatusOr<Tokens> Parse(std::string_view text, std::string_view place);

  absl::Status Add(Role role, std::string_view token);
  bool empty() const { return entries_.empty(); }

  // Whether this value of an `authorization` header permits what `needed` may do. UNAUTHENTICATED for none or an
  // unknown token, PERMISSION_DENIED for a token of another role. Takes the same time for every token of a length.
  absl::Status Check(std::string_view authorization, Role needed) const;

 private:
  struct Entry {
    Role role;
    std::string digest;  // SHA-256 of the token
  };
  std::vector<Entry> entries_;
};

}  // namespace heterosis
