// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/schema.hpp"

#include <array>

namespace guestd::store {
namespace {

// Words (kinds, states, outcomes) are stored as text, so that a file can be read without this
// program and survives reordered enumerations. Times are microseconds of CLOCK_BOOTTIME, on the
// boot of their run; `*_wall` and `since` are microseconds since the epoch.
// `resume.run` is no foreign key: an entry outlives the history of the run that wrote it.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE run(
    id           INTEGER PRIMARY KEY,
    kind         TEXT    NOT NULL,
    trigger_word TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    boot_id      TEXT    NOT NULL,
    started      INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    ended        INTEGER,
    started_wall INTEGER NOT NULL,
    clean        INTEGER NOT NULL
) STRICT;
CREATE TABLE run_selection(
    id   INTEGER PRIMARY KEY,
    run  INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    glob TEXT    NOT NULL
) STRICT;
CREATE INDEX run_selection_of ON run_selection(run);
CREATE TABLE run_guest(
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    uri     TEXT    NOT NULL,
    uuid    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    cause   TEXT    NOT NULL,
    started INTEGER,
    ended   INTEGER,
    bytes   INTEGER NOT NULL,
    UNIQUE(run, uri, uuid)
) STRICT;
CREATE TABLE span(
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    uri      TEXT    NOT NULL,
    uuid     TEXT    NOT NULL,
    what     TEXT    NOT NULL,
    begin_at INTEGER NOT NULL,
    end_at   INTEGER,
    note     TEXT    NOT NULL,
    UNIQUE(run, uri, uuid, what, begin_at)
) STRICT;
CREATE TABLE resume(
    id             INTEGER PRIMARY KEY,
    uri            TEXT    NOT NULL,
    uuid           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    was_paused     INTEGER NOT NULL,
    transient      INTEGER NOT NULL,
    expect_restore INTEGER NOT NULL,
    disk_identity  TEXT    NOT NULL,
    run            INTEGER NOT NULL,
    since          INTEGER NOT NULL,
    last_error     TEXT    NOT NULL,
    UNIQUE(uri, uuid)
) STRICT;
CREATE TABLE learned(
    key   TEXT PRIMARY KEY,
    value REAL NOT NULL
) STRICT;
CREATE TABLE kept_text(
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
)sql";

// Every column of the rows that bring guests back, once more, on pages of their own. So SQLite's
// integrity check finds a flipped bit in any of them, and the row can still be read elsewhere.
constexpr const char* kVersion2 = R"sql(
CREATE INDEX resume_copy ON resume(uri, uuid, name, was_paused, transient, expect_restore,
                                   disk_identity, run, since, last_error);
CREATE INDEX run_copy ON run(kind, trigger_word, state, boot_id, started, deadline, ended,
                             started_wall, clean);
)sql";

constexpr std::array kSteps = {kVersion1, kVersion2};

}  // namespace

int schema_version() {
    return static_cast<int>(kSteps.size());
}

void migrate(Database& db) {
    const auto from = db.number("PRAGMA user_version");
    if (from >= schema_version())
        return;
    Transaction transaction{db};
    for (auto step = static_cast<std::size_t>(from); step < kSteps.size(); ++step)
        db.run(kSteps[step]);
    db.run("PRAGMA user_version = " + std::to_string(schema_version()));
    transaction.commit();
}

}  // namespace guestd::store
