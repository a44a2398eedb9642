// SPDX-License-Identifier: Apache-2.0
// Implements sqlite.h.
#include "coordinator/store/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr sqlite3_int64 kRewriteBytes = 1 << 16;

absl::StatusCode CodeOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:  // a disk that is away, a quota: what may pass
      return absl::StatusCode::kUnavailable;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::StatusCode::kDataLoss;
    case SQLITE_CANTOPEN:
      return absl::StatusCode::kNotFound;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, Mode mode) {
  sqlite3* handle = nullptr;
  const int flags = mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  if (handle == nullptr) return absl::ResourceExhaustedError(path + ": out of memory");
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return database->Error("opening the database");
  database->set_busy_wait(std::chrono::seconds(10));
  // The file may be a stranger's: nothing in its schema is to be trusted with functions of ours.
  RETURN_IF_ERROR(database->Execute("PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON"));
  return database;
}

Database::~Database() {
  for (const auto& [text, statement] : kept_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

void Database::set_busy_wait(std::chrono::milliseconds wait) {
  sqlite3_busy_timeout(handle_, static_cast<int>(wait.count()));
}

void Database::Keep(sqlite3_stmt* statement) {
  if (statement == nullptr) return;
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  const std::string_view text = sqlite3_sql(statement);
  // What a pragma gives may be settled when it is prepared.
  const bool lasting = !text.starts_with("PRAGMA") && kept_.emplace(text, statement).second;
  if (!lasting) sqlite3_finalize(statement);
}

absl::Status Database::Error(std::string_view doing) const {
  const std::string message = sqlite3_errmsg(handle_);
  const absl::StatusCode code = CodeOf(sqlite3_extended_errcode(handle_));
  if (message.starts_with(kDamagedRow)) return absl::Status(code, absl::StrCat(path_, ": ", message));
  const absl::Status error(code, absl::StrCat(path_, ": ", std::string(doing), ": ", message));
  if (absl::IsResourceExhausted(error) || absl::IsUnavailable(error)) trouble_ = error;
  return error;
}

absl::Status Database::Execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return Error(sql.substr(0, 60));
  return absl::OkStatus();
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  if (const auto kept = kept_.find(sql); kept != kept_.end()) {
    return Statement(*this, kept_.extract(kept).mapped());
  }
  sqlite3_stmt* handle = nullptr;
  const int size_bytes = static_cast<int>(sql.size());
  if (sqlite3_prepare_v3(handle_, sql.data(), size_bytes, SQLITE_PREPARE_PERSISTENT, &handle, nullptr) != SQLITE_OK) {
    return Error(sql.substr(0, 60));
  }
  return Statement(*this, handle);
}

absl::StatusOr<int64_t> Database::Number(std::string_view sql) {
  ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return absl::NotFoundError(absl::StrCat(path_, ": no row: ", std::string(sql)));
  return statement.Int(0);
}

absl::Status Database::RewriteLog() {
  ASSIGN_OR_RETURN(const Transaction claim, Transaction::Begin(*this));  // nobody else changes the log meanwhile
  sqlite3_file* log = nullptr;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log == nullptr || log->pMethods == nullptr) return absl::OkStatus();
  const sqlite3_io_methods& file = *log->pMethods;
  sqlite3_int64 size = 0;
  int code = file.xFileSize(log, &size);
  std::string block;
  for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size; at += static_cast<sqlite3_int64>(block.size())) {
    block.resize(static_cast<size_t>(std::min<sqlite3_int64>(kRewriteBytes, size - at)));
    code = file.xRead(log, block.data(), static_cast<int>(block.size()), at);
    if (code == SQLITE_OK) code = file.xWrite(log, block.data(), static_cast<int>(block.size()), at);
  }
  if (code == SQLITE_OK && size > 0) code = file.xSync(log, SQLITE_SYNC_NORMAL);
  if (code == SQLITE_OK) return absl::OkStatus();
  return absl::Status(CodeOf(code), absl::StrCat(path_, ": writing the log again: ", sqlite3_errstr(code)));
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      handle_(std::exchange(other.handle_, nullptr)),
      next_(other.next_),
      bind_failed_(other.bind_failed_) {}

Statement::~Statement() {
  database_.Keep(handle_);
}

Statement& Statement::Bound(int code) {
  bind_failed_ |= code != SQLITE_OK;
  ++next_;
  return *this;
}

Statement& Statement::Bind(int64_t value) {
  return Bound(sqlite3_bind_int64(handle_, next_, value));
}
Statement& Statement::Bind(double value) {
  return Bound(sqlite3_bind_double(handle_, next_, value));
}
Statement& Statement::BindNull() {
  return Bound(sqlite3_bind_null(handle_, next_));
}

// A null pointer would bind NULL, not an empty text.
Statement& Statement::Bind(std::string_view value) {
  const char* data = value.data() != nullptr ? value.data() : "";
  return Bound(sqlite3_bind_text64(handle_, next_, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::BindBlob(std::string_view value) {
  const char* data = value.data() != nullptr ? value.data() : "";
  return Bound(sqlite3_bind_blob64(handle_, next_, data, value.size(), SQLITE_TRANSIENT));
}

absl::Status Statement::Run() {
  ASSIGN_OR_RETURN(const bool row, Step());
  (void)row;
  Reset();
  return absl::OkStatus();
}

absl::StatusOr<bool> Statement::Step() {
  if (bind_failed_) return database_.Error("binding a parameter");
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const absl::Status error = database_.Error(sqlite3_sql(handle_));
  Reset();
  return error;
}

void Statement::Reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  next_ = 1;
  bind_failed_ = false;
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}
int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(handle_, column);
}
double Statement::Double(int column) const {
  return sqlite3_column_double(handle_, column);
}

std::string Statement::Text(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const int size_bytes = sqlite3_column_bytes(handle_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<size_t>(size_bytes));
}

std::optional<int64_t> Statement::OptionalInt(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Int(column);
}

std::optional<double> Statement::OptionalDouble(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Double(column);
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  const absl::Status begun = database.Execute("BEGIN IMMEDIATE");
  if (!begun.ok()) {
    database.write_observer_(begun);
    return begun;
  }
  database.trouble_ = absl::OkStatus();
  return Transaction(database, /*writes=*/true);
}

absl::StatusOr<Transaction> Transaction::BeginRead(Database& database) {
  RETURN_IF_ERROR(database.Execute("BEGIN"));
  return Transaction(database, /*writes=*/false);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), writes_(other.writes_) {}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  if (writes_ && !database_->trouble_.ok()) database_->write_observer_(database_->trouble_);
  // A failed COMMIT may have rolled back by itself; then this one has nothing to do and says so.
  (void)database_->Execute("ROLLBACK");
}

absl::Status Transaction::Commit() {
  RETURN_IF_ERROR(database_->Execute("COMMIT"));
  if (writes_) database_->write_observer_(absl::OkStatus());
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace heterosis
