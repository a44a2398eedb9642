// SPDX-License-Identifier: Apache-2.0
// Implements tokens.h.
#include "coordinator/service/tokens.h"

#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "common/base/digest.h"
#include "common/base/names.h"
#include "common/base/secret.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr std::array kRoles = {Named<Role>{Role::kWorker, "worker"}, Named<Role>{Role::kReader, "reader"},
                               Named<Role>{Role::kAdmin, "admin"}};
constexpr std::string_view kScheme = "bearer ";
constexpr size_t kAuthorizationLengthMax = 1024;

bool Permits(Role has, Role needed) {
  return has == needed || (has == Role::kAdmin && needed == Role::kReader);
}

}  // namespace

std::string_view Name(Role role) {
  return NameIn(kRoles, role);
}

absl::StatusOr<Tokens> Tokens::Parse(std::string_view text, std::string_view place) {
  Tokens tokens;
  int number = 0;
  for (const auto& line : absl::StrSplit(std::string(text), '\n')) {
    ++number;
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty() || words[0][0] == '#') continue;
    const std::string here = absl::StrCat(std::string(place), ":", number);
    if (words.size() != 2) {
      return absl::InvalidArgumentError(absl::StrCat(here, ": write `ROLE TOKEN`, such as `worker` and 64 digits"));
    }
    // An unknown role is not quoted: where the two words are in the wrong order it is the token.
    const absl::StatusOr<Role> role = ValueIn(kRoles, "role", words[0]);
    if (!role.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(here, ": a line begins with worker, reader or admin"));
    }
    RETURN_IF_ERROR(Annotate(tokens.Add(*role, words[1]), here));
  }
  if (tokens.empty()) return absl::InvalidArgumentError(absl::StrCat(std::string(place), " has no token"));
  return tokens;
}

absl::Status Tokens::Add(Role role, std::string_view token) {
  RETURN_IF_ERROR(CheckToken(token));
  std::string digest = Sha256(token);
  for (const Entry& entry : entries_) {
    if (entry.digest == digest) return absl::InvalidArgumentError("this token stands here twice");
  }
  entries_.push_back({role, std::move(digest)});
  return absl::OkStatus();
}

absl::Status Tokens::Check(std::string_view authorization, Role needed) const {
  if (authorization.empty()) {
    return absl::UnauthenticatedError(
        "a token is needed here: --token-file FILE or HETEROSIS_TOKEN (docs/security.md)");
  }
  std::optional<Role> has;
  if (authorization.size() <= kAuthorizationLengthMax && authorization.size() > kScheme.size() &&
      absl::AsciiStrToLower(std::string(authorization.substr(0, kScheme.size()))) == kScheme) {
    const std::string digest = Sha256(authorization.substr(kScheme.size()));
    for (const Entry& entry : entries_) {  // all of them, whichever it is
      if (SameSecret(entry.digest, digest)) has = entry.role;
    }
  }
  if (!has.has_value()) return absl::UnauthenticatedError("the token is not one of this coordinator's");
  if (!Permits(*has, needed)) {
    return absl::PermissionDeniedError(absl::StrCat("a token of the role ", std::string(Name(needed)),
                                                    " is needed here, this one is a ", std::string(Name(*has)), "'s"));
  }
  return absl::OkStatus();
}

}  // namespace heterosis
