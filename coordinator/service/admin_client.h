// SPDX-License-Identifier: Apache-2.0
// What the commands `coordinator progress` and `coordinator stop` ask of a coordinator that runs elsewhere.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/channel.h"

namespace heterosis {

struct AdminTarget {
  std::string address = "127.0.0.1:50551";  // HOST:PORT
  ClientSecurity security;
};

// One JSON document, or a line for each thing that is known. UNAVAILABLE where nobody answers within seconds.
absl::StatusOr<std::string> AskProgress(const AdminTarget& target, bool json);

// OK once the coordinator has begun to stop, as it does at a SIGTERM.
absl::Status AskToStop(const AdminTarget& target);

}  // namespace heterosis
