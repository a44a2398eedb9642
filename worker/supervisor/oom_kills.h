// SPDX-License-Identifier: Apache-2.0
// How often the system has killed processes for want of memory: what tells such a death from another SIGKILL.
#pragma once

#include <cstdint>
#include <string>

namespace heterosis {

// The kills within this process's control group (version 2) and of the whole machine, added up: it grows with every one
// that may have been ours. 0 where neither is told. `proc` and `cgroups` are /proc and /sys/fs/cgroup.
int64_t CountOomKills(const std::string& proc, const std::string& cgroups);

}  // namespace heterosis
