// SPDX-License-Identifier: Apache-2.0
// A checksum in each row of the trial database: SQLite finds a page that makes no sense, but not a bit that has flipped
// in a number or a text (3 of 3 such flips pass its integrity_check).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/store/sqlite.h"

namespace heterosis {

// 64 bits over a row's values, each with its type and length. A change within eight bytes of one value changes it for
// certain, any other one but once in 2^64. For accidents: who wants to can make a row that fits.
class RowChecksum {
 public:
  void AddNull();
  void AddInt(int64_t value);
  // A whole number counts as the INTEGER: SQLite stores it as one, and some of its plans give it back as one.
  void AddReal(double value);
  void AddBytes(std::string_view value, bool is_text);
  int64_t value() const;

 private:
  void Mix(uint64_t word);
  uint64_t state_ = 0x9E3779B97F4A7C15u;
};

// A table with a column `checksum`, which is over all its other columns in their order.
struct ChecksummedTable {
  std::string name;
  std::vector<std::string> columns;  // but `checksum`
  std::vector<std::string> key;      // the primary key
};
absl::StatusOr<std::vector<ChecksummedTable>> ChecksummedTables(Database& database);

// SQL over the row of `table` at hand: whether its checksum fits; which row it is, as text ("trial 4, shard 1").
std::string FitsExpression(const ChecksummedTable& table);
std::string RowNameExpression(const ChecksummedTable& table);

// Gives the connection, for each such table, a view `intact_TABLE` with the same columns: a row that does not fit its
// checksum is an error (DataLoss, naming table, row and remedy), never a wrong answer. Once per connection, after the
// tables are there. The file is not changed.
absl::Status AddIntactViews(Database& database);

// Keeps the checksums from now on, whatever this connection writes: a new row gets one; a row that is changed is
// checked first, so that damage is never signed anew.
absl::Status KeepChecksums(Database& database);

}  // namespace heterosis
