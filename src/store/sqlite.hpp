// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// SQLite, with types and ownership.
///
/// Values are always bound, never pasted into SQL: guest names are hostile. Failures are thrown as
/// SqliteError, which does not leave `store/`.

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace guestd::store {

class SqliteError : public std::runtime_error {
public:
    SqliteError(int code, const std::string& message) : std::runtime_error(message), code_(code) {}

    /// Primary result code, SQLITE_….
    int code() const { return code_ & 0xff; }
    /// The file itself is wrong, as opposed to the place it is in or what it was asked.
    bool means_damage() const { return code() == SQLITE_CORRUPT || code() == SQLITE_NOTADB; }
    /// What was asked is wrong; asking again, or later, fails again.
    bool means_bad_request() const;

private:
    int code_;
};

/// Whether SQLite gets more memory than opening a state takes (its cache is 2 MiB).
bool has_memory();

enum class OpenMode {
    write,      ///< read and write, created when missing
    read,       ///< only read; sees what a writer commits meanwhile
    immutable,  ///< only read, from a folder where not even SQLite's lock files can be made
};

class Statement;

struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, Finalize>;

/// One connection. To be used by one thread at a time.
class Database {
public:
    /// Throws SqliteError. Blocks for disk reads only.
    Database(const std::filesystem::path& file, OpenMode mode);

    /// Runs SQL without parameters or results; several statements are allowed. Throws.
    void run(const std::string& sql);
    /// Less memory for pages that have been read. Reads the schema: a damaged file refuses, as it
    /// will whatever is asked next, and keeps SQLite's default.
    void limit_cache();
    /// Compiled once per connection and kept: a run of a thousand guests makes thousands of rows
    /// with a handful of texts. One that is in use is compiled anew.
    Statement prepare(std::string_view sql);
    std::int64_t number(std::string_view sql);
    /// Frames of the write-ahead log that SQLite takes for whole; moves them into the file as far
    /// as nobody reads. None: the disk does not let it tell. Blocks for disk.
    std::optional<std::uint64_t> frames_in_log();
    /// Moves all of the log into the file and cuts it to nothing. False: it cannot be now (a reader
    /// is in the way, who is not waited for, or the disk). Blocks for disk.
    bool empty_log();
    /// Also of a connection opened for writing: SQLite then takes what it gets.
    bool is_read_only() const { return sqlite3_db_readonly(handle_.get(), "main") == 1; }
    /// False outside a transaction, also after SQLite rolled one back by itself (disk full, I/O).
    bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

private:
    friend class Statement;
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    std::unique_ptr<sqlite3, Close> handle_;
    std::map<std::string, StatementHandle, std::less<>> kept_;  ///< by their SQL; goes first
};

/// A prepared statement, on loan from its connection; parameters are bound and columns read in
/// order of the calls.
class Statement {
public:
    Statement(Database& db, std::string_view sql);
    ~Statement();
    Statement(Statement&&) noexcept = default;
    Statement& operator=(Statement&&) = delete;

    Statement& bind(std::int64_t value);
    Statement& bind(double value);
    Statement& bind(std::string_view value);
    Statement& bind(const std::optional<std::int64_t>& value);
    /// Binds each of the values.
    template <class... Values>
    Statement& bind_all(const Values&... values) {
        (bind(values), ...);
        return *this;
    }

    /// Steps to the next row; false when there is none. Throws.
    bool next();
    /// Ready to be bound and stepped again. Throws.
    void rewind();
    /// For statements without rows: steps once and rewinds, ready to be bound again. Throws.
    void run();

    std::int64_t number();
    double real();
    std::string text();
    std::optional<std::int64_t> maybe_number();

private:
    void check(int code);

    sqlite3* db_;
    StatementHandle* home_ = nullptr;  ///< in the connection, which outlives it
    StatementHandle handle_;
    int parameter_ = 0;
    int column_ = 0;
};

/// A transaction, rolled back unless committed.
class Transaction {
public:
    explicit Transaction(Database& db);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    /// Returns once the data is on the disk. Throws; then nothing was written.
    void commit();

private:
    Database& db_;
};

/// Part of a transaction that can fail alone.
class Savepoint {
public:
    explicit Savepoint(Database& db);
    ~Savepoint();
    Savepoint(const Savepoint&) = delete;
    Savepoint& operator=(const Savepoint&) = delete;
    void release();

private:
    Database& db_;
    bool open_ = true;
};

}  // namespace guestd::store
