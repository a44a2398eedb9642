// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/service/acceptor and connections with plain sockets in place of gRPC.
#include "coordinator/service/acceptor.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include "common/base/status.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

class AcceptorTest : public ::testing::Test {
 protected:
  // `serve`: what the thread that accepts does with a connection.
  void Start(
      const ConnectionLimits& limits, const std::string& host = "127.0.0.1",
      const std::function<void(int fd)>& serve = [](int) {}) {
    auto acceptor = Acceptor::Listen({.host = host, .port = 0}, limits);
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = std::move(*acceptor);
    acceptor_->Start([this, serve](int, int fd) {
      {
        MutexLock lock(mutex_);
        served_.push_back(fd);
        changed_.notify_all();
      }
      serve(fd);
    });
  }
  void TearDown() override {
    acceptor_.reset();
    for (const int fd : clients_) close(fd);
    for (const int fd : served_) close(fd);
  }

  // From another address of this machine, so that they count apart.
  int Dial(const std::string& from = "127.0.0.1") {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    clients_.push_back(fd);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, from.c_str(), &address.sin_addr);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    address.sin_port = htons(static_cast<uint16_t>(acceptor_->address().port));
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  // The server's end of the connection that was dialled last.
  int Served(size_t count) {
    MutexLock lock(mutex_);
    while (served_.size() < count) changed_.wait(mutex_);
    return served_[count - 1];
  }

  // Whether the other end has closed; waits for it.
  static bool Closed(int fd) {
    char byte = 0;
    return recv(fd, &byte, 1, 0) <= 0;
  }

  // gRPC's name of the client's end.
  static std::string PeerName(int client) {
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    getsockname(client, reinterpret_cast<sockaddr*>(&address), &size);
    return absl::StrCat("ipv4:127.0.0.1:", ntohs(address.sin_port));
  }

  static void Send(int client, int server, size_t bytes) {
    std::array<char, 4096> buffer{};
    for (size_t sent = 0; sent < bytes; sent += buffer.size()) {
      ASSERT_EQ(send(client, buffer.data(), buffer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(buffer.size()));
      for (size_t got = 0; got < buffer.size();) {
        pollfd wait{.fd = server, .events = POLLIN, .revents = 0};
        poll(&wait, 1, -1);
        const ssize_t size = recv(server, buffer.data(), buffer.size() - got, 0);
        ASSERT_GT(size, 0);
        got += static_cast<size_t>(size);
      }
    }
  }

  std::unique_ptr<Acceptor> acceptor_;
  std::vector<int> clients_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<int> served_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(AcceptorTest, SurplusConnectionsAreClosedAndTheOthersStay) {
  Start({.connections_max = 3, .per_address_max = 3});
  for (int i = 0; i < 3; ++i) Dial();
  Served(3);
  EXPECT_TRUE(Closed(Dial()));
  EXPECT_EQ(acceptor_->connections().count(), 3);
  EXPECT_EQ(send(clients_[0], "x", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  EXPECT_EQ(recv(Served(1), &byte, 1, MSG_DONTWAIT) >= 0 || errno == EAGAIN, true);
}

TEST_F(AcceptorTest, OneAddressDoesNotTakeThePlaceOfOthers) {
  Start({.connections_max = 4, .per_address_max = 2});
  Dial("127.0.0.2");
  Dial("127.0.0.2");
  Served(2);
  EXPECT_TRUE(Closed(Dial("127.0.0.2")));
  Dial("127.0.0.3");
  Served(3);
  EXPECT_EQ(acceptor_->connections().count(), 3);
}

TEST_F(AcceptorTest, AClosedConnectionMakesRoom) {
  Start({.connections_max = 1, .per_address_max = 1});
  for (size_t i = 1; i <= 20; ++i) {
    const int client = Dial();
    close(Served(i));  // the server's own doing, of which nobody is told; the number is used again
    EXPECT_TRUE(Closed(client));
  }
  MutexLock lock(mutex_);
  served_.clear();
}

TEST_F(AcceptorTest, AConnectionThatSendsWithoutEndIsCut) {
  Start({.unanswered_bytes_max = 100'000});
  const int quiet = Dial();
  Served(1);
  const int greedy = Dial();
  Send(greedy, Served(2), 120'000);
  EXPECT_TRUE(Closed(greedy));
  EXPECT_EQ(send(quiet, "x", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  EXPECT_EQ(recv(quiet, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

// Its window full, a client would not learn of the end of the connection for a minute.
TEST_F(AcceptorTest, AnAbuserIsCutOnceAndResetWhenItsSocketIsClosed) {
  Start({});
  const int client = Dial();
  const int server = Served(1);
  Connections connections({.unanswered_bytes_max = 100'000});
  ASSERT_TRUE(connections.Admit(server));
  std::array<char, 65536> buffer{};
  while (send(client, buffer.data(), buffer.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
  }
  EXPECT_EQ(connections.CutAbusers(), 1);
  EXPECT_EQ(connections.CutAbusers(), 0);
  while (recv(server, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
  }
  {
    MutexLock lock(mutex_);
    served_.clear();
  }
  close(server);
  pollfd wait{.fd = client, .events = 0, .revents = 0};
  EXPECT_EQ(poll(&wait, 1, 10'000), 1);
  EXPECT_NE(wait.revents & POLLERR, 0);
}

// gRPC reads on the thread that hands a connection over, for as long as there is something to read.
TEST_F(AcceptorTest, WhoSendsWithoutEndWhileHeIsHandedOverIsCutAlsoWhenNobodyIsAcceptedAnyMore) {
  Start({.unanswered_bytes_max = 1 << 20}, "127.0.0.1", [](int fd) {
    std::array<char, 4096> buffer{};
    for (pollfd wait{.fd = fd, .events = POLLIN, .revents = 0}; recv(fd, buffer.data(), buffer.size(), 0) != 0;) {
      poll(&wait, 1, -1);
    }
  });
  constexpr int64_t kEnough = 1 << 30;
  const int client = Dial();
  std::atomic<int64_t> sent = 0;
  std::thread flood([&] {
    const std::array<char, 4096> buffer{};
    while (sent < kEnough && send(client, buffer.data(), buffer.size(), MSG_NOSIGNAL) > 0) sent += buffer.size();
    shutdown(client, SHUT_RDWR);
  });
  Served(1);
  acceptor_->Stop();  // waits until its thread has served the connection
  flood.join();
  EXPECT_LT(sent, kEnough);
}

TEST_F(AcceptorTest, OfManyThatSendMuchTogetherTheGreediestIsCut) {
  Start({.unanswered_bytes_max = 100'000, .unanswered_bytes_total_max = 150'000});
  const int first = Dial();
  Send(first, Served(1), 73'728);
  const int second = Dial();
  Send(second, Served(2), 90'112);
  EXPECT_TRUE(Closed(second));
  char byte = 0;
  EXPECT_EQ(recv(first, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(AcceptorTest, WhatACallAnsweredForDoesNotCount) {
  Start({.unanswered_bytes_max = 100'000});
  const int client = Dial();
  const int server = Served(1);
  for (int i = 0; i < 5; ++i) {
    Send(client, server, 81'920);
    acceptor_->connections().NoteCall(PeerName(client));
    EXPECT_EQ(acceptor_->connections().CutAbusers(), 0);
  }
  Send(client, server, 102'400);
  EXPECT_TRUE(Closed(client));
}

TEST_F(AcceptorTest, AConnectionWithoutACallIsCutAfterAWhile) {
  Start({.first_call_max = milliseconds(200)});
  const int called = Dial();
  Served(1);
  acceptor_->connections().NoteCall(PeerName(called));
  const int silent = Dial();
  Served(2);
  EXPECT_TRUE(Closed(silent));
  char byte = 0;
  EXPECT_EQ(recv(called, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(AcceptorTest, PeersThatAreUnknownAreIgnored) {
  Start({});
  for (const char* peer : {"", "ipv4:1.2.3.4:5", "unix:", "ipv6:%5B::1%5D:7", "nonsense"}) {
    acceptor_->connections().NoteCall(peer);
  }
}

TEST_F(AcceptorTest, AllAddressesOfANameHaveOnePort) {
  Start({}, "localhost");
  EXPECT_NE(acceptor_->address().port, 0);
  Dial();
  Served(1);
}

TEST_F(AcceptorTest, AnotherMachinesAddressIsRefused) {
  const absl::Status status = Acceptor::Listen({.host = "192.0.2.1", .port = 0}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(Acceptor::Listen({.host = "nowhere.invalid", .port = 0}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(AcceptorTest, AfterStoppingNobodyIsLetIn) {
  Start({});
  acceptor_->Stop();
  acceptor_->Stop();
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  clients_.push_back(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  address.sin_port = htons(static_cast<uint16_t>(acceptor_->address().port));
  EXPECT_NE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

}  // namespace
}  // namespace heterosis
