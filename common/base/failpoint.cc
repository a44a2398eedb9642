// SPDX-License-Identifier: Apache-2.0
// Implements failpoint.h.
#include "common/base/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace heterosis {
namespace {

struct Wanted {
  Wanted() {
    if (const char* point = std::getenv("HETEROSIS_FAILPOINT"); point != nullptr) {
      name = point;
      const size_t mark = name.rfind('#');
      if (mark != std::string::npos) {
        left = std::atoi(name.c_str() + mark + 1);
        name.resize(mark);
      }
    }
    if (const char* file = std::getenv("HETEROSIS_FAILPOINT_TRACE"); file != nullptr) {
      trace = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
  }
  bool any() const { return !name.empty() || trace >= 0; }

  std::string name;
  std::atomic<int> left{1};
  int trace = -1;
};

}  // namespace

void Failpoint(std::string_view name) {
  static Wanted wanted;
  if (!wanted.any()) return;
  if (wanted.trace >= 0) {
    const std::string line = std::string(name) + "\n";
    (void)!write(wanted.trace, line.data(), line.size());  // a test that misses lines fails
  }
  if (name == wanted.name && wanted.left.fetch_sub(1) == 1) kill(getpid(), SIGKILL);
}

}  // namespace heterosis
