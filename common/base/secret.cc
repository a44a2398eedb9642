// SPDX-License-Identifier: Apache-2.0
// Implements secret.h.
#include "common/base/secret.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr size_t kSecretBytesMax = 1 << 20;
constexpr size_t kTokenLengthMin = 16;
constexpr size_t kTokenLengthMax = 512;

absl::StatusOr<std::string> ReadAll(int fd, const std::string& place) {
  std::string content;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::UnavailableError(absl::StrCat(place, ": ", std::strerror(errno)));
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(got));
    if (content.size() > kSecretBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat(place, " is larger than a megabyte: is it the right file?"));
    }
  }
}

}  // namespace

absl::StatusOr<std::string> ReadSecretFile(const std::string& path, std::string_view what) {
  const std::string place = absl::StrCat(std::string(what), " ", path);
  // The rights are those of the file that is then read, not of one that has its name a moment later.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::NotFoundError(absl::StrCat(place, ": ", std::strerror(errno)));
  struct stat status {};
  absl::StatusOr<std::string> content;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    content = absl::InvalidArgumentError(absl::StrCat(place, " is not a regular file"));
  } else if ((status.st_mode & 077) != 0) {
    content = absl::FailedPreconditionError(absl::StrFormat(
        "%s may be read by others than its owner (mode %04o): chmod 600 %s", place, status.st_mode & 07777, path));
  } else {
    content = ReadAll(fd, place);
  }
  close(fd);
  return content;
}

absl::Status CheckToken(std::string_view token) {
  if (token.size() < kTokenLengthMin || token.size() > kTokenLengthMax) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a token has %d to %d characters, this one %d: openssl rand -hex 32 makes one", kTokenLengthMin,
                        kTokenLengthMax, token.size()));
  }
  for (const char c : token) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        std::string_view("-._~+/=").find(c) == std::string_view::npos) {
      return absl::InvalidArgumentError(
          "a token may have only letters, digits and -._~+/=: openssl rand -hex 32 makes one");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> OnlyToken(std::string_view content, std::string_view place) {
  std::string token;
  for (const auto& line : absl::StrSplit(std::string(content), '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty() || words[0][0] == '#') continue;
    if (!token.empty() || words.size() > 2) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::string(place), ": one line with one token is wanted here, alone or as `ROLE TOKEN`"));
    }
    token = words.back();
  }
  if (token.empty()) return absl::InvalidArgumentError(absl::StrCat(std::string(place), " has no token"));
  RETURN_IF_ERROR(Annotate(CheckToken(token), place));
  return token;
}

std::string RandomToken() {
  std::array<unsigned char, 32> bytes{};
  for (size_t have = 0; have < bytes.size();) {
    const ssize_t got = getrandom(bytes.data() + have, bytes.size() - have, 0);
    if (got < 0 && errno != EINTR) std::abort();  // no kernel since 3.17 does that; a guessable token is no way out
    if (got > 0) have += static_cast<size_t>(got);
  }
  std::string token;
  for (const unsigned char byte : bytes) absl::StrAppendFormat(&token, "%02x", byte);
  return token;
}

bool SameSecret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;  // volatile: no shortcut after the first byte that differs
  for (size_t i = 0; i < a.size(); ++i) {
    difference =
        static_cast<unsigned char>(difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

}  // namespace heterosis
