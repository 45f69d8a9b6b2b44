// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/sqlite.hpp"

#include <cstring>

namespace guestd::store {
namespace {

/// A second connection (History, an administrator's sqlite3) may hold the write lock for moments.
/// Only the store's own thread waits for it.
constexpr int kBusyTimeoutMs = 5000;
/// Of pages that have been read; SQLite's default is 2 MiB, and a history of some hundred runs
/// fills that when the file is checked at the start. Those of a transaction come on top: it is not
/// to need the disk before it is committed.
constexpr int kCacheKib = 128;

[[noreturn]] void raise(sqlite3* db, int code) {
    std::string text = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    const int primary = code & 0xff;
    if (db != nullptr && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) &&
        sqlite3_system_errno(db) != 0)
        text += std::string{" ("} + std::strerror(sqlite3_system_errno(db)) + ")";
    throw SqliteError{code, text};
}

/// Percent-encoding of what has a meaning in a URI file name.
std::string as_uri(const std::filesystem::path& file, std::string_view query) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(file).string()) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '%' || c == '?' || c == '#' || byte < 0x20) {
            uri += '%';
            uri += hex[byte >> 4];
            uri += hex[byte & 15];
        } else {
            uri += c;
        }
    }
    return uri.append(query);
}

}  // namespace

bool SqliteError::means_bad_request() const {
    return code() == SQLITE_CONSTRAINT || code() == SQLITE_MISMATCH || code() == SQLITE_TOOBIG ||
           code() == SQLITE_RANGE || code() == SQLITE_ERROR;
}

Database::Database(const std::filesystem::path& file, OpenMode mode) {
    const int access =
        mode == OpenMode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    const int flags = access | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const std::string uri = as_uri(file, mode == OpenMode::immutable ? "?immutable=1" : "");
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(uri.c_str(), &db, flags, nullptr);
    handle_.reset(db);
    if (code != SQLITE_OK)
        raise(db, code);
    sqlite3_busy_timeout(db, kBusyTimeoutMs);
    // What it needs to undo a statement stays in memory: guestd may write to no folder for
    // temporary files (systemd/guestd.service), and no other disk decides whether the list can be
    // kept.
    run("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;");
}

void Database::limit_cache() {
    const auto limits =
        "PRAGMA cache_size = -" + std::to_string(kCacheKib) + "; PRAGMA cache_spill = OFF;";
    sqlite3_exec(handle_.get(), limits.c_str(), nullptr, nullptr, nullptr);
}

void Database::run(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK)
        raise(handle_.get(), code);
}

Statement Database::prepare(std::string_view sql) {
    return Statement{*this, sql};
}

std::int64_t Database::number(std::string_view sql) {
    Statement statement = prepare(sql);
    return statement.next() ? statement.number() : 0;
}

std::optional<std::uint64_t> Database::frames_in_log() {
    int frames = -1;
    sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, nullptr);
    return frames < 0 ? std::nullopt : std::optional{static_cast<std::uint64_t>(frames)};
}

bool has_memory() {
    constexpr sqlite3_uint64 kPlenty = sqlite3_uint64{16} * 1024 * 1024;
    void* const some = sqlite3_malloc64(kPlenty);
    sqlite3_free(some);
    return some != nullptr;
}

bool Database::empty_log() {
    sqlite3_busy_timeout(handle_.get(), 0);
    const int code = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                               nullptr, nullptr);
    sqlite3_busy_timeout(handle_.get(), kBusyTimeoutMs);
    return code == SQLITE_OK;
}

Statement::Statement(Database& db, std::string_view sql) : db_(db.handle_.get()) {
    auto home = db.kept_.find(sql);
    if (home == db.kept_.end())
        home = db.kept_.emplace(sql, nullptr).first;
    home_ = &home->second;
    if (*home_) {
        handle_ = std::move(*home_);
        return;
    }
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                             SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    handle_.reset(statement);
}

Statement::~Statement() {
    if (!handle_ || *home_)
        return;
    // What went wrong with it was told when it did.
    sqlite3_reset(handle_.get());
    sqlite3_clear_bindings(handle_.get());
    *home_ = std::move(handle_);
}

void Statement::check(int code) {
    if (code != SQLITE_OK)
        raise(db_, code);
}

Statement& Statement::bind(std::int64_t value) {
    check(sqlite3_bind_int64(handle_.get(), ++parameter_, value));
    return *this;
}

Statement& Statement::bind(double value) {
    check(sqlite3_bind_double(handle_.get(), ++parameter_, value));
    return *this;
}

Statement& Statement::bind(std::string_view value) {
    // A null data() would bind NULL, and an empty view may have one.
    const char* data = value.empty() ? "" : value.data();
    check(sqlite3_bind_text64(handle_.get(), ++parameter_, data, value.size(), SQLITE_TRANSIENT,
                              SQLITE_UTF8));
    return *this;
}

Statement& Statement::bind(const std::optional<std::int64_t>& value) {
    if (value)
        return bind(*value);
    check(sqlite3_bind_null(handle_.get(), ++parameter_));
    return *this;
}

bool Statement::next() {
    column_ = 0;
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        raise(db_, code);
    return false;
}

void Statement::rewind() {
    parameter_ = 0;
    check(sqlite3_reset(handle_.get()));
}

void Statement::run() {
    next();
    rewind();
}

std::int64_t Statement::number() {
    return sqlite3_column_int64(handle_.get(), column_++);
}

double Statement::real() {
    return sqlite3_column_double(handle_.get(), column_++);
}

std::string Statement::text() {
    const int column = column_++;
    const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
    return data == nullptr ? std::string{} : std::string{data, size};
}

std::optional<std::int64_t> Statement::maybe_number() {
    if (sqlite3_column_type(handle_.get(), column_) == SQLITE_NULL) {
        ++column_;
        return std::nullopt;
    }
    return number();
}

Transaction::Transaction(Database& db) : db_(db) {
    db_.run("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
    try {
        if (db_.in_transaction())
            db_.run("ROLLBACK");
    } catch (const SqliteError&) {
        // It is gone either way: what is not committed does not count.
    }
}

void Transaction::commit() {
    db_.run("COMMIT");
}

Savepoint::Savepoint(Database& db) : db_(db) {
    db_.prepare("SAVEPOINT command").run();
}

Savepoint::~Savepoint() {
    try {
        if (open_ && db_.in_transaction())
            db_.run("ROLLBACK TO command; RELEASE command");
    } catch (const SqliteError&) {
        // The transaction around it reports the fault.
    }
}

void Savepoint::release() {
    open_ = false;
    db_.prepare("RELEASE command").run();
}

}  // namespace guestd::store
