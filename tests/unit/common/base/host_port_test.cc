// SPDX-License-Identifier: Apache-2.0
// Tests of common/base/host_port.
#include "common/base/host_port.h"

#include <gtest/gtest.h>

namespace heterosis {
namespace {

TEST(HostPortTest, NamesAndAddressesOfBothKindsAreRead) {
  EXPECT_EQ(ParseHostPort("box.lan:80")->host, "box.lan");
  EXPECT_EQ(ParseHostPort("10.0.0.1:65535")->port, 65535);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  for (const char* text : {"box.lan:80", "10.0.0.1:65535", "[::1]:0", "[fe80::1]:7"}) {
    EXPECT_EQ(ParseHostPort(text)->Text(), text);
  }
}

TEST(HostPortTest, EverythingElseIsNoAddress) {
  for (const char* text :
       {"", "50551", "localhost", "127.0.0.1:", ":50551", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:1x", "unix:/tmp/socket:1", "dns:///127.0.0.1:80", "::1:80", "[]:1", "[localhost]:1", "[::1:1"}) {
    EXPECT_FALSE(ParseHostPort(text).has_value()) << text;
  }
}

TEST(HostPortTest, OnlyThisMachineIsLoopback) {
  for (const char* host : {"localhost", "127.0.0.1", "127.8.9.1", "::1"}) EXPECT_TRUE(IsLoopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "127.example.com", "127.0.0.1.example.com", "0", "*",
                           "localhost.example.com", "::ffff:10.0.0.1"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace heterosis
