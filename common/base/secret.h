// SPDX-License-Identifier: Apache-2.0
// Files that only their owner may read: tokens and private keys. What they hold never stands in an error or a log.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

// The whole of a small regular file. FAILED_PRECONDITION where its group or others have any right to it; `what` says
// what it is, such as "--token-file". A link is followed, and what it leads to must be private.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path, std::string_view what);

// OK for what may serve as a bearer token: 16 to 512 characters that a HTTP header may carry (RFC 6750's, and so no
// blanks). `openssl rand -hex 32` makes one. The error does not quote it.
absl::Status CheckToken(std::string_view token);

// The one token of a client's file: the last word of its only line, which may have a role before it ("worker TOKEN").
// Empty lines and those that begin with # do not count. `place` opens the error.
absl::StatusOr<std::string> OnlyToken(std::string_view content, std::string_view place);

// 256 bits of the system's random source, in hexadecimal.
std::string RandomToken();

// Whether both are the same, in a time that depends on their lengths alone.
bool SameSecret(std::string_view a, std::string_view b);

}  // namespace heterosis
