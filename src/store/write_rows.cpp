// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/rows.hpp"

namespace guestd::store {
namespace {

std::int64_t number(TimePoint at) {
    return at.time_since_epoch().count();
}
std::int64_t number(WallTime at) {
    return at.time_since_epoch().count();
}
std::optional<std::int64_t> number(const std::optional<TimePoint>& at) {
    return at ? std::optional{number(*at)} : std::nullopt;
}
std::int64_t number(bool flag) {
    return flag ? 1 : 0;
}

void upsert_run(Database& db, const RunRecord& run) {
    // Not INSERT OR REPLACE: that deletes first, and the spans would go with the old row.
    db.prepare(
          "INSERT INTO run(id, kind, trigger_word, state, boot_id, started, deadline, ended,"
          " started_wall, clean) VALUES(?,?,?,?,?,?,?,?,?,?)"
          " ON CONFLICT(id) DO UPDATE SET kind = excluded.kind,"
          " trigger_word = excluded.trigger_word, state = excluded.state,"
          " boot_id = excluded.boot_id, started = excluded.started,"
          " deadline = excluded.deadline, ended = excluded.ended,"
          // Whoever updates a run later need not know the calendar again.
          " started_wall = CASE excluded.started_wall WHEN 0 THEN started_wall"
          " ELSE excluded.started_wall END, clean = excluded.clean")
        .bind_all(std::int64_t{run.id}, to_string(run.kind), to_string(run.trigger),
                  to_string(run.state), std::string_view{run.boot_id}, number(run.started),
                  number(run.deadline), number(run.ended), number(run.started_wall),
                  number(run.clean))
        .run();
    db.prepare("DELETE FROM run_selection WHERE run = ?").bind(std::int64_t{run.id}).run();
    auto insert = db.prepare("INSERT INTO run_selection(run, glob) VALUES(?,?)");
    for (const auto& glob : run.selection)
        insert.bind_all(std::int64_t{run.id}, std::string_view{glob}).run();
}

void upsert_guests(Database& db, const std::vector<RunGuestRecord>& guests) {
    auto upsert = db.prepare(
        "INSERT INTO run_guest(run, uri, uuid, name, outcome, cause, started, ended, bytes)"
        " VALUES(?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT(run, uri, uuid) DO UPDATE SET name = excluded.name,"
        " outcome = excluded.outcome, cause = excluded.cause, started = excluded.started,"
        " ended = excluded.ended, bytes = excluded.bytes");
    for (const auto& guest : guests)
        upsert
            .bind_all(std::int64_t{guest.run}, std::string_view{guest.uri},
                      std::string_view{guest.uuid.str()}, std::string_view{guest.name},
                      to_string(guest.outcome), std::string_view{guest.cause},
                      number(guest.started), number(guest.ended),
                      static_cast<std::int64_t>(guest.bytes.count))
            .run();
}

void upsert_entries(Database& db, const std::vector<ResumeEntry>& entries) {
    auto upsert = db.prepare(
        "INSERT INTO resume(uri, uuid, name, was_paused, transient, expect_restore,"
        " disk_identity, run, since, last_error) VALUES(?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT(uri, uuid) DO UPDATE SET name = excluded.name,"
        " was_paused = excluded.was_paused, transient = excluded.transient,"
        " expect_restore = excluded.expect_restore, disk_identity = excluded.disk_identity,"
        " run = excluded.run, since = excluded.since, last_error = excluded.last_error");
    for (const auto& entry : entries)
        upsert
            .bind_all(std::string_view{entry.uri}, std::string_view{entry.uuid.str()},
                      std::string_view{entry.name}, number(entry.was_paused),
                      number(entry.transient), number(entry.expect_restore),
                      std::string_view{entry.disk_identity}, std::int64_t{entry.run},
                      number(entry.since), std::string_view{entry.last_error})
            .run();
}

void forget_old_runs(Database& db) {
    db.prepare(
          "DELETE FROM run WHERE state <> ? AND id NOT IN"
          " (SELECT id FROM run ORDER BY id DESC LIMIT ?)")
        .bind_all(to_string(RunState::active), kKeptRuns)
        .run();
}

}  // namespace

void apply(Database& db, const StoreRun& command) {
    upsert_run(db, command.run);
    upsert_guests(db, command.guests);
    upsert_entries(db, command.entries);
    forget_old_runs(db);
}

void apply(Database& db, const StoreEntries& command) {
    upsert_entries(db, command.entries);
}

void apply(Database& db, const DropEntry& command) {
    db.prepare("DELETE FROM resume WHERE uri = ? AND uuid = ?")
        .bind_all(std::string_view{command.uri}, std::string_view{command.uuid.str()})
        .run();
}

void apply(Database& db, const StoreGuest& command) {
    upsert_guests(db, {command.guest});
}

void apply(Database& db, const StoreSpan& command) {
    const SpanRecord& span = command.span;
    db.prepare(
          "INSERT INTO span(run, uri, uuid, what, begin_at, end_at, note) VALUES(?,?,?,?,?,?,?)"
          " ON CONFLICT(run, uri, uuid, what, begin_at) DO UPDATE SET"
          " end_at = excluded.end_at, note = excluded.note")
        .bind_all(std::int64_t{span.run}, std::string_view{span.uri},
                  std::string_view{span.uuid.str()}, std::string_view{span.what},
                  number(span.begin), number(span.end), std::string_view{span.note})
        .run();
}

void apply(Database& db, const StoreRunEnd& command) {
    upsert_run(db, command.run);
}

void apply(Database& db, const KeepConfig& command) {
    db.prepare("INSERT OR REPLACE INTO kept_text(key, value) VALUES('config', ?)")
        .bind(std::string_view{command.text})
        .run();
}

void apply(Database& db, const StoreLearned& command) {
    db.prepare("INSERT OR REPLACE INTO learned(key, value) VALUES(?,?)")
        .bind_all(std::string_view{command.key}, command.value)
        .run();
}

}  // namespace guestd::store
