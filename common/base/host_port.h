// SPDX-License-Identifier: Apache-2.0
// Addresses as the command line has them, HOST:PORT, and which of them lie on this machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heterosis {

struct HostPort {
  std::string host;  // a name, an IPv4 address, or an IPv6 address without its brackets
  int port = 0;

  std::string Text() const;  // HOST:PORT again, with brackets where they are needed
};

// Nothing where the text is something else. gRPC knows more forms (unix:, dns:), which would need rules of their own.
std::optional<HostPort> ParseHostPort(std::string_view text);

// By number, not by the beginning of the text: 127.example.com is a name that may lead anywhere.
bool IsLoopback(const std::string& host);

}  // namespace heterosis
