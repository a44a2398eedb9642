// SPDX-License-Identifier: Apache-2.0
// SQLite behind Status: a connection, statements and transactions that clean up after themselves.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace heterosis {

class Statement;

// How the message begins of a row that does not fit its checksum (checksum.h).
inline constexpr char kDamagedRow[] = "damaged: table ";

// A connection to one database file. Not thread-safe. Errors begin with the file's path.
class Database {
 public:
  enum class Mode { kReadWriteCreate, kReadOnly };
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs one or more statements without parameters and drops their rows.
  absl::Status Execute(const std::string& sql);
  // Prepared before under the same text and not in use: that one again, which costs nothing.
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // The single number that `sql` gives (PRAGMA user_version, SELECT count(*)); an error when it gives no row.
  absl::StatusOr<int64_t> Number(std::string_view sql);

  // Told how each transaction that writes has ended: OK when it is on disk, else the connection's error.
  void set_write_observer(std::function<void(const absl::Status&)> observer) { write_observer_ = std::move(observer); }
  // How long a statement waits for another program that holds the database.
  void set_busy_wait(std::chrono::milliseconds wait);
  // Writes the write-ahead log's bytes over themselves and syncs them. After a failed fsync Linux takes the pages for
  // clean: a program that is started then reads from memory what may never reach the disk, and what it commits after
  // that is lost with it when the power fails. Written again they are synced in truth. For the one writer, at its
  // start.
  absl::Status RewriteLog();

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_; }        // for checksum.cc
  absl::Status Error(std::string_view doing) const;  // the connection's last error

 private:
  friend class Transaction;
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  friend class Statement;
  // A statement that is no longer used is kept for the next Prepare of its text; preparing takes longer than running.
  void Keep(sqlite3_stmt* statement);

  sqlite3* handle_;
  std::string path_;
  std::function<void(const absl::Status&)> write_observer_ = [](const absl::Status&) {};
  // The last error that may pass since the last transaction began: SQLite's own memory of it ends with the next call.
  mutable absl::Status trouble_;
  std::map<std::string, sqlite3_stmt*, std::less<>> kept_;  // by text
};

// A prepared statement. Bind parameters in order, then Run() it, or Step() through its rows; both start afresh after a
// Reset(). Columns and parameters count from 0. Must not outlive its Database.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Each binds the next parameter. Texts are copied.
  Statement& Bind(int64_t value);
  Statement& Bind(int value) { return Bind(static_cast<int64_t>(value)); }
  Statement& Bind(bool value) { return Bind(static_cast<int64_t>(value)); }
  Statement& Bind(double value);
  Statement& Bind(std::string_view value);
  Statement& Bind(const std::string& value) { return Bind(std::string_view(value)); }
  Statement& Bind(const char* value) { return Bind(std::string_view(value)); }
  Statement& BindBlob(std::string_view value);
  Statement& BindNull();
  template <typename T>
  Statement& Bind(const std::optional<T>& value) {
    return value.has_value() ? Bind(*value) : BindNull();
  }

  // Executes a statement that gives no rows, and resets it for the next use. Also reports what a Bind found wrong.
  absl::Status Run();
  // Goes to the next row; false after the last one.
  absl::StatusOr<bool> Step();
  void Reset();

  bool IsNull(int column) const;
  int64_t Int(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;  // also of blobs: the bytes
  std::optional<int64_t> OptionalInt(int column) const;
  std::optional<double> OptionalDouble(int column) const;

 private:
  friend class Database;
  Statement(Database& database, sqlite3_stmt* handle) : database_(database), handle_(handle) {}
  Statement& Bound(int code);

  Database& database_;
  sqlite3_stmt* handle_;
  int next_ = 1;
  bool bind_failed_ = false;
};

// BEGIN ... COMMIT; rolled back by the destructor unless committed.
class Transaction {
 public:
  // The first claims the right to write at once, the second only reads.
  static absl::StatusOr<Transaction> Begin(Database& database);
  static absl::StatusOr<Transaction> BeginRead(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  absl::Status Commit();

 private:
  Transaction(Database& database, bool writes) : database_(&database), writes_(writes) {}
  Database* database_;  // nullptr once it is over
  bool writes_;
};

}  // namespace heterosis
