// SPDX-License-Identifier: Apache-2.0
// The parts of the store that take results back and use them again; each is a step of a transaction of the caller's.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/store/records.h"
#include "coordinator/store/sqlite.h"

namespace heterosis {

// Takes back what `commit` says. `commit.audit` and `commit.trust` are the caller's.
absl::StatusOr<RewindSummary> TakeBack(Database& database, const RewindCommit& commit, int64_t now_ms);

// Gives shards of a stage that has just begun the results that a rewind has kept of the same recipe on the same
// samples. Returns the trials that got some, to be settled.
absl::StatusOr<std::vector<int64_t>> UseKept(Database& database, int stage);

// Writes the audit's state and vouches for its shard where it says so.
absl::Status WriteAudit(Database& database, const AuditCommit& commit, int64_t now_ms);

// Writes an answer to a canary (canaries.cc) and vouches for what it vouches for.
absl::Status WriteCanary(Database& database, const CanaryCommit& commit, int64_t now_ms);

}  // namespace heterosis
