// SPDX-License-Identifier: Apache-2.0
// Memory of the host that this process may still use.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace heterosis {

// MemAvailable of `meminfo`, or less where the control group (version 2, mounted at `cgroup`) leaves less.
absl::StatusOr<size_t> AvailableHostBytes(const std::string& meminfo, const std::string& cgroup);

}  // namespace heterosis
