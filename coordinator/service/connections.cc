// SPDX-License-Identifier: Apache-2.0
// Implements connections.h with Linux's socket options.
#include "coordinator/service/connections.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace heterosis {
namespace {

struct Peer {
  std::string name;     // ADDRESS:PORT
  std::string address;  // what is counted together
};

std::optional<Peer> PeerOf(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return Peer{absl::StrCat(text.data(), ":", ntohs(v4->sin_port)), text.data()};
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  const int port = ntohs(v6->sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text.data(), text.size());
    return Peer{absl::StrCat(text.data(), ":", port), text.data()};
  }
  inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  const std::string name = absl::StrCat("[", text.data(), "]:", port);
  in6_addr prefix = v6->sin6_addr;  // whoever has one address of a /64 has them all
  std::memset(&prefix.s6_addr[8], 0, 8);
  inet_ntop(AF_INET6, &prefix, text.data(), text.size());
  return Peer{name, absl::StrCat(text.data(), "/64")};
}

// gRPC writes "ipv4:1.2.3.4:5" and "ipv6:%5B::1%5D:5".
std::string NameOfGrpcPeer(const std::string& peer) {
  const size_t colon = peer.find(':');
  return absl::StrReplaceAll(peer.substr(colon == std::string::npos ? 0 : colon + 1), {{"%5B", "["}, {"%5D", "]"}});
}

std::optional<uint64_t> CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

int64_t BytesReceived(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  if (size < offsetof(tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received)) return 0;
  return static_cast<int64_t>(info.tcpi_bytes_received);
}

// Ends both directions. Through a descriptor of our own: gRPC may close its own at any moment, and the number then be
// another file's.
bool ShutDown(int fd, uint64_t cookie) {
  const int own = dup(fd);
  if (own < 0) return false;
  const bool same = CookieOf(own) == cookie;
  if (same) {
    ResetWhenClosed(own);
    shutdown(own, SHUT_RDWR);
  }
  close(own);
  return same;
}

}  // namespace

void ResetWhenClosed(int fd) {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

void Connections::Forget(std::map<std::string, Connection>::iterator connection) {
  const auto address = per_address_.find(connection->second.address);
  if (--address->second == 0) per_address_.erase(address);
  by_peer_.erase(connection);
}

void Connections::Sweep() {
  for (auto it = by_peer_.begin(); it != by_peer_.end();) {
    const auto next = std::next(it);
    if (CookieOf(it->second.fd) != it->second.cookie) Forget(it);
    it = next;
  }
}

bool Connections::Full(const std::string& address) const {
  const auto found = per_address_.find(address);
  return static_cast<int>(by_peer_.size()) >= limits_.connections_max ||
         (found != per_address_.end() && found->second >= limits_.per_address_max);
}

bool Connections::Admit(int fd) {
  const std::optional<Peer> peer = PeerOf(fd);
  const std::optional<uint64_t> cookie = CookieOf(fd);
  if (!peer.has_value() || !cookie.has_value()) return false;  // it has gone already
  MutexLock lock(mutex_);
  if (Full(peer->address)) Sweep();
  // The same address and port again: the one before is closed, though we have not noticed yet.
  if (const auto old = by_peer_.find(peer->name); old != by_peer_.end()) Forget(old);
  if (Full(peer->address)) return false;
  by_peer_[peer->name] = {
      .fd = fd, .cookie = *cookie, .address = peer->address, .opened = std::chrono::steady_clock::now()};
  ++per_address_[peer->address];
  return true;
}

void Connections::NoteCall(const std::string& peer) {
  MutexLock lock(mutex_);
  const auto found = by_peer_.find(NameOfGrpcPeer(peer));
  if (found == by_peer_.end()) return;
  Connection& connection = found->second;
  const int64_t bytes = BytesReceived(connection.fd);
  if (CookieOf(connection.fd) != connection.cookie) return;
  connection.called = true;
  connection.bytes_answered = bytes;
}

bool Connections::Cut(Connection& connection) {
  connection.cut = ShutDown(connection.fd, connection.cookie);
  return connection.cut;
}

int Connections::CutAbusers() {
  MutexLock lock(mutex_);
  Sweep();
  const auto oldest = std::chrono::steady_clock::now() - limits_.first_call_max;
  int cut = 0;
  std::vector<Connection*> open;
  int64_t total = 0;
  for (auto& [name, connection] : by_peer_) {
    if (connection.cut) continue;  // gRPC closes it once it has read what had come
    if (!connection.called && connection.opened < oldest && Cut(connection)) {
      ++cut;
      continue;
    }
    connection.bytes_unanswered = std::max<int64_t>(0, BytesReceived(connection.fd) - connection.bytes_answered);
    total += connection.bytes_unanswered;
    open.push_back(&connection);
  }
  std::sort(open.begin(), open.end(),
            [](const Connection* a, const Connection* b) { return a->bytes_unanswered > b->bytes_unanswered; });
  for (Connection* connection : open) {
    const bool within = connection->bytes_unanswered <= limits_.unanswered_bytes_max;
    if (within && total <= limits_.unanswered_bytes_total_max) break;
    if (Cut(*connection)) ++cut;
    total -= connection->bytes_unanswered;
  }
  return cut;
}

int Connections::count() {
  MutexLock lock(mutex_);
  Sweep();
  return static_cast<int>(by_peer_.size());
}

}  // namespace heterosis
