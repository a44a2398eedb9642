// SPDX-License-Identifier: Apache-2.0
// The tables and views of the trial database, their version, and the steps from one version to the next.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "coordinator/store/sqlite.h"

namespace heterosis {

// PRAGMA application_id of our files: "HtRS".
inline constexpr int kApplicationId = 0x48745253;
// PRAGMA user_version that this program reads and writes.
inline constexpr int kSchemaVersion = 1;

// The SQL that turns a database of version i into one of version i + 1, at place i. Version 0 is an empty file. A step
// that has been released is never changed; a change of the schema is a further step.
std::span<const char* const> Migrations();

// Checks whose file it is, and that its version is at most `migrations.size()`. FailedPrecondition: another program's
// database, or a newer version of ours.
absl::Status CheckOurs(Database& database, std::span<const char* const> migrations);

// CheckOurs, then runs the steps that are missing, each in a transaction of its own together with its new version.
absl::Status Migrate(Database& database, std::span<const char* const> migrations);

}  // namespace heterosis
