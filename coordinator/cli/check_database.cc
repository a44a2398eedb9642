// SPDX-License-Identifier: Apache-2.0
// Implements check_database.h.
#include "coordinator/cli/check_database.h"

#include <memory>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "coordinator/store/reader.h"

namespace heterosis {

absl::StatusOr<std::string> CheckDatabase(const std::string& path) {
  constexpr int kDamageShown = 100;
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> reader, StoreReader::OpenUnchecked(path));
  ASSIGN_OR_RETURN(const IntegrityReport report, reader->Examine(kDamageShown));
  if (report.damage.empty()) {
    return absl::StrFormat(
        "%s is sound: structure, schema, the checksums of %d rows in %d tables, and what they must "
        "agree on.\n",
        path, report.rows, report.tables);
  }
  return absl::DataLossError(
      absl::StrCat(path, ": damaged:\n  ", absl::StrJoin(report.damage, "\n  "),
                   "\nA coordinator will not go on with it: restore a backup, or begin anew with another --db"));
}

}  // namespace heterosis
