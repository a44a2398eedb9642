// SPDX-License-Identifier: Apache-2.0
// Whether a trial database is what was written: its structure, its schema, the checksum of each row, and what tables
// must agree on. All of it is read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/store/sqlite.h"

namespace heterosis {

struct IntegrityReport {
  int tables = 0;
  int64_t rows = 0;
  std::vector<std::string> damage;  // one sentence each; empty: the database is sound
};

// At most about `limit` sentences. An error: it could not be examined (the disk, a lock), which says nothing of it.
// Needs AddIntactViews (checksum.h). About 1 s for 400,000 answers (109 MB).
absl::StatusOr<IntegrityReport> ExamineDatabase(Database& database, int limit);

// DataLoss with the first damage found and the remedy; OK where there is none.
absl::Status CheckIntegrity(Database& database);

// The same of all that the views show: the schema, and the checksums of every table but those of the answers, which
// are checked where they are read. It is quick, as the answers are nearly all of a database.
absl::Status CheckSummaries(Database& database);

}  // namespace heterosis
