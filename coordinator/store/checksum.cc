// SPDX-License-Identifier: Apache-2.0
// Implements checksum.h by SQL functions, and by views and triggers in the connection's own schema (TEMP): the file
// stays readable and writable by any SQLite.
#include "coordinator/store/checksum.h"

#include <sqlite3.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr uint64_t kMultiplier = 0xD6E8FEB86659FD93u;  // odd, so that multiplying loses nothing

void RowChecksumFunction(sqlite3_context* context, int count, sqlite3_value** values) {
  RowChecksum checksum;
  for (int i = 0; i < count; ++i) {
    switch (sqlite3_value_type(values[i])) {
      case SQLITE_INTEGER:
        checksum.AddInt(sqlite3_value_int64(values[i]));
        break;
      case SQLITE_FLOAT:
        checksum.AddReal(sqlite3_value_double(values[i]));
        break;
      case SQLITE_NULL:
        checksum.AddNull();
        break;
      default: {
        const bool is_text = sqlite3_value_type(values[i]) == SQLITE_TEXT;
        const void* data = sqlite3_value_blob(values[i]);
        const int size_bytes = sqlite3_value_bytes(values[i]);
        if (data == nullptr && size_bytes > 0) return sqlite3_result_error_nomem(context);
        checksum.AddBytes({static_cast<const char*>(data), static_cast<size_t>(size_bytes)}, is_text);
      }
    }
  }
  sqlite3_result_int64(context, checksum.value());
}

// damaged_row(TABLE, ROW): an error that names it.
void DamagedRowFunction(sqlite3_context* context, int, sqlite3_value** values) {
  const auto text = [](sqlite3_value* value) {
    const auto* data = reinterpret_cast<const char*>(sqlite3_value_text(value));
    return std::string(data != nullptr ? data : "?");
  };
  const std::string message = absl::StrCat(kDamagedRow, text(values[0]), ", row ", text(values[1]),
                                           ": its content does not fit its checksum; restore a backup (`coordinator "
                                           "check --db` lists all damaged rows)");
  sqlite3_result_error(context, message.c_str(), static_cast<int>(message.size()));
  sqlite3_result_error_code(context, SQLITE_CORRUPT);  // keeps the message
}

absl::Status AddFunctions(Database& database) {
  constexpr int kPure = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  const int added = sqlite3_create_function_v2(database.handle(), "row_checksum", -1, kPure, nullptr,
                                               RowChecksumFunction, nullptr, nullptr, nullptr) |
                    sqlite3_create_function_v2(database.handle(), "damaged_row", 2, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                                               nullptr, DamagedRowFunction, nullptr, nullptr, nullptr);
  return added == SQLITE_OK ? absl::OkStatus() : database.Error("adding the functions for checksums");
}

std::string ChecksumExpression(const ChecksummedTable& table) {
  return absl::StrCat("row_checksum(", absl::StrJoin(table.columns, ", "), ")");
}

// 1, or an error that names the row.
std::string IntactExpression(const ChecksummedTable& table) {
  return absl::StrFormat("CASE WHEN %s THEN 1 ELSE damaged_row('%s', %s) END", FitsExpression(table), table.name,
                         RowNameExpression(table));
}

}  // namespace

// Each step maps states one to one for a given word, and words one to one for a given state.
void RowChecksum::Mix(uint64_t word) {
  state_ = (state_ ^ word) * kMultiplier;
  state_ ^= state_ >> 32;
}

void RowChecksum::AddNull() {
  Mix(SQLITE_NULL);
}

void RowChecksum::AddInt(int64_t value) {
  Mix(SQLITE_INTEGER);
  Mix(static_cast<uint64_t>(value));
}

void RowChecksum::AddReal(double value) {
  constexpr double kWholeMax = 9007199254740992;  // 2^53
  if (std::abs(value) <= kWholeMax && value == std::trunc(value)) return AddInt(static_cast<int64_t>(value));
  Mix(SQLITE_FLOAT);
  Mix(std::bit_cast<uint64_t>(value));
}

void RowChecksum::AddBytes(std::string_view value, bool is_text) {
  Mix(is_text ? SQLITE_TEXT : SQLITE_BLOB);
  Mix(value.size());
  uint64_t word = 0;
  for (; value.size() >= sizeof(word); value.remove_prefix(sizeof(word))) {
    std::memcpy(&word, value.data(), sizeof(word));
    Mix(word);
  }
  if (value.empty()) return;
  word = 0;
  std::memcpy(&word, value.data(), value.size());
  Mix(word);
}

int64_t RowChecksum::value() const {
  return static_cast<int64_t>(state_);
}

absl::StatusOr<std::vector<ChecksummedTable>> ChecksummedTables(Database& database) {
  ASSIGN_OR_RETURN(
      Statement rows,
      database.Prepare("SELECT t.name, c.name, c.pk FROM pragma_table_list t JOIN pragma_table_info(t.name) c "
                       "WHERE t.schema = 'main' AND t.type = 'table' AND EXISTS (SELECT 1 FROM "
                       "pragma_table_info(t.name) WHERE name = 'checksum') ORDER BY t.name, c.cid"));
  std::vector<ChecksummedTable> tables;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return tables;
    if (tables.empty() || tables.back().name != rows.Text(0)) tables.push_back({rows.Text(0), {}, {}});
    const std::string column = rows.Text(1);
    if (column == "checksum") continue;
    tables.back().columns.push_back(column);
    if (rows.Int(2) > 0) tables.back().key.push_back(column);
  }
}

std::string FitsExpression(const ChecksummedTable& table) {
  return absl::StrCat("checksum = ", ChecksumExpression(table));
}

std::string RowNameExpression(const ChecksummedTable& table) {
  std::vector<std::string> parts;
  for (const std::string& column : table.key) parts.push_back(absl::StrFormat("'%s ' || %s", column, column));
  return parts.empty() ? "'number ' || rowid" : absl::StrJoin(parts, " || ', ' || ");
}

absl::Status AddIntactViews(Database& database) {
  RETURN_IF_ERROR(AddFunctions(database));
  // The views and triggers are the connection's own, and no file is needed for them.
  RETURN_IF_ERROR(database.Execute("PRAGMA temp_store = MEMORY"));
  ASSIGN_OR_RETURN(const std::vector<ChecksummedTable> tables, ChecksummedTables(database));
  for (const ChecksummedTable& table : tables) {
    // Looked at by a query of its own: within WHERE state = 'done' AND ..., SQLite would put 'done' in the column's
    // place and ask for the checksum before it knows whether that is so.
    RETURN_IF_ERROR(database.Execute(absl::StrFormat(
        "CREATE TEMP VIEW intact_%s AS SELECT * FROM main.%s AS row WHERE (SELECT %s FROM main.%s AS stored WHERE "
        "stored.rowid = row.rowid)",
        table.name, table.name, IntactExpression(table), table.name)));
  }
  return absl::OkStatus();
}

absl::Status KeepChecksums(Database& database) {
  ASSIGN_OR_RETURN(const std::vector<ChecksummedTable> tables, ChecksummedTables(database));
  std::string triggers = "BEGIN;";
  for (const ChecksummedTable& table : tables) {
    // From the stored row, as it will be read, not from NEW.
    const std::string seal = absl::StrFormat("BEGIN UPDATE %s SET checksum = %s WHERE rowid = NEW.rowid; END;",
                                             table.name, ChecksumExpression(table));
    const std::string check =
        absl::StrFormat("BEGIN SELECT %s FROM %s WHERE rowid = OLD.rowid; END;", IntactExpression(table), table.name);
    const std::string changed = absl::StrCat("UPDATE OF ", absl::StrJoin(table.columns, ", "));
    absl::StrAppendFormat(&triggers, "CREATE TEMP TRIGGER seal_new_%s AFTER INSERT ON main.%s %s", table.name,
                          table.name, seal);
    absl::StrAppendFormat(&triggers, "CREATE TEMP TRIGGER check_old_%s BEFORE %s ON main.%s %s", table.name, changed,
                          table.name, check);
    absl::StrAppendFormat(&triggers, "CREATE TEMP TRIGGER seal_changed_%s AFTER %s ON main.%s %s", table.name, changed,
                          table.name, seal);
  }
  return database.Execute(triggers + "COMMIT");
}

}  // namespace heterosis
