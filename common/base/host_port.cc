// SPDX-License-Identifier: Apache-2.0
// Implements host_port.h.
#include "common/base/host_port.h"

#include <arpa/inet.h>

#include <charconv>

#include "absl/strings/str_cat.h"

namespace heterosis {

std::string HostPort::Text() const {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

std::optional<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  HostPort parsed;
  parsed.host = text.substr(0, colon);
  if (parsed.host.front() == '[' && parsed.host.back() == ']') {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
    in6_addr address{};
    if (inet_pton(AF_INET6, parsed.host.c_str(), &address) != 1) return std::nullopt;
  } else if (parsed.host.find_first_of("[]:/") != std::string::npos) {
    return std::nullopt;
  }
  const std::string_view port = text.substr(colon + 1);
  const char* end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data(), end, parsed.port);
  if (error != std::errc() || rest != end || parsed.port < 0 || parsed.port > 65535) return std::nullopt;
  return parsed;
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr parsed{};
  return inet_pton(AF_INET, host.c_str(), &parsed) == 1 && (ntohl(parsed.s_addr) >> 24) == 127;
}

}  // namespace heterosis
