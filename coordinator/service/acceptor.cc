// SPDX-License-Identifier: Apache-2.0
// Implements acceptor.h with poll and accept4.
#include "coordinator/service/acceptor.h"

#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

#include "common/base/logging.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr int kBacklog = 512;
constexpr int kAcceptedAtOnceMax = 64;            // from one address, before the others have their turn
constexpr std::chrono::milliseconds kLook{20};    // how often abusers are looked for
constexpr std::chrono::milliseconds kPause{100};  // where none can be accepted
constexpr std::chrono::seconds kTrimAfter{3};

struct Resolved {
  ~Resolved() {
    if (list != nullptr) freeaddrinfo(list);
  }
  addrinfo* list = nullptr;
};

void SetPort(sockaddr* address, int port) {
  const auto network = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET) reinterpret_cast<sockaddr_in*>(address)->sin_port = network;
  if (address->sa_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(address)->sin6_port = network;
}

int PortOf(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  return storage.ss_family == AF_INET ? ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port)
                                      : ntohs(reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
}

// A listening socket, or -1 with errno. Not SO_REUSEPORT: two coordinators must not share a port, the second has to
// fail.
int ListenOn(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Listen(const HostPort& address, const ConnectionLimits& limits) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(address, limits));
  RETURN_IF_ERROR(acceptor->Bind());
  return acceptor;
}

absl::Status Acceptor::Bind() {
  stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_fd_ < 0) return absl::UnavailableError(absl::StrCat("cannot listen: ", std::strerror(errno)));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  Resolved resolved;
  if (const int error = getaddrinfo(address_.host.c_str(), nullptr, &hints, &resolved.list); error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", address_.Text(), ": ", address_.host, ": ", gai_strerror(error)));
  }
  int error = 0;
  for (const addrinfo* entry = resolved.list; entry != nullptr; entry = entry->ai_next) {
    SetPort(entry->ai_addr, address_.port);
    const int fd = ListenOn(*entry);
    if (fd >= 0) {
      listeners_.push_back(fd);
      address_.port = PortOf(fd);
      continue;
    }
    error = errno;
    if (error == EADDRINUSE) break;  // the others may do without a family that this machine lacks, not without a port
  }
  if (error == EADDRINUSE) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address_.Text(), ": is another program using that port?"));
  }
  if (!listeners_.empty()) return absl::OkStatus();
  const std::string why = absl::StrCat("cannot listen on ", address_.Text(), ": ", std::strerror(error));
  return error == EADDRNOTAVAIL ? absl::InvalidArgumentError(absl::StrCat(why, " (it is not this machine's)"))
                                : absl::UnavailableError(why);
}

Acceptor::~Acceptor() {
  Stop();
  for (const int fd : listeners_) close(fd);
  if (stop_fd_ >= 0) close(stop_fd_);
}

void Acceptor::Start(HandOver hand_over) {
  hand_over_ = std::move(hand_over);
  accepting_ = std::thread([this] { Accept(); });
  watching_ = std::jthread([this](const std::stop_token& stop) { Watch(stop); });
}

void Acceptor::Stop() {
  if (!accepting_.joinable()) return;
  const uint64_t one = 1;
  while (write(stop_fd_, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
  accepting_.join();
  for (const int fd : listeners_) close(fd);
  listeners_.clear();
}

void Acceptor::Accept() {
  std::vector<pollfd> waited = {{.fd = stop_fd_, .events = POLLIN, .revents = 0}};
  for (const int fd : listeners_) waited.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  for (;;) {
    poll(waited.data(), waited.size(), -1);
    if ((waited[0].revents & POLLIN) != 0) return;
    for (size_t i = 1; i < waited.size(); ++i) {
      if ((waited[i].revents & POLLIN) != 0) AcceptSome(waited[i].fd);
    }
  }
}

// Not on the thread that accepts: who floods keeps gRPC reading on it, for as long as nobody cuts him.
void Acceptor::Watch(const std::stop_token& stop) {
  for (; !stop.stop_requested(); std::this_thread::sleep_for(kLook)) Look(std::chrono::steady_clock::now());
}

void Acceptor::Look(std::chrono::steady_clock::time_point now) {
  const int cut = connections_.CutAbusers();
  if (cut > 0) {
    trim_at_ = now + kTrimAfter;
    if (complaints_.MayComplain()) {
      LogWarning(absl::StrCat("cut ", cut, " connections that sent too much or made no call"));
    }
  }
  const bool trimming = trimming_.valid() && trimming_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  if (now < trim_at_ || trimming) return;
  trim_at_ = kNever;
  // gRPC has freed what they sent by now; the C library would keep it. On a thread of its own, and never during a
  // flood: it takes the locks of every malloc in the process in turn, and has waited 20 s for them.
  trimming_ = std::async(std::launch::async, [] { malloc_trim(0); });
}

void Acceptor::AcceptSome(int listener) {
  for (int i = 0; i < kAcceptedAtOnceMax; ++i) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (complaints_.MayComplain()) LogWarning(absl::StrCat("cannot accept a connection: ", std::strerror(errno)));
      // Out of descriptors or memory: what waits will wait, and poll would return at once.
      std::this_thread::sleep_for(kPause);
      return;
    }
    if (connections_.Admit(fd)) {
      hand_over_(listener, fd);
      continue;
    }
    ResetWhenClosed(fd);
    close(fd);
    if (complaints_.MayComplain()) LogWarning("too many connections: refused one (docs/security.md has the limits)");
  }
}

int OpenFilesAllowed(int reserved) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024 - reserved;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  }
  const auto most = static_cast<rlim_t>(std::numeric_limits<int>::max());
  return std::max(16, static_cast<int>(std::min(limit.rlim_cur, most)) - reserved);
}

}  // namespace heterosis
