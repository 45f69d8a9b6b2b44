// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "store/rows.hpp"

namespace guestd::store {
namespace {

TimePoint time_point(std::int64_t number) {
    return TimePoint{Duration{number}};
}
std::optional<TimePoint> time_point(const std::optional<std::int64_t>& number) {
    return number ? std::optional{time_point(*number)} : std::nullopt;
}
WallTime wall_time(std::int64_t number) {
    return WallTime{std::chrono::microseconds{number}};
}

/// The enumerator of this name, out of those up to `last`.
template <class Enum>
std::optional<Enum> parse_word(std::string_view text, Enum last) {
    for (int value = 0; value <= static_cast<int>(last); ++value)
        if (to_string(static_cast<Enum>(value)) == text)
            return static_cast<Enum>(value);
    return std::nullopt;
}

std::optional<RunRecord> run_row(Statement& row) {
    RunRecord run;
    run.id = static_cast<RunId>(row.number());
    const auto kind = parse_word(row.text(), RunKind::drain);
    const auto trigger = parse_trigger(row.text());
    const auto state = parse_run_state(row.text());
    if (!kind || !trigger || !state)
        return std::nullopt;
    run.kind = *kind;
    run.trigger = *trigger;
    run.state = *state;
    run.boot_id = row.text();
    run.started = time_point(row.number());
    run.deadline = time_point(row.number());
    run.ended = time_point(row.maybe_number());
    run.started_wall = wall_time(row.number());
    run.clean = row.number() != 0;
    return run;
}

std::optional<RunGuestRecord> guest_row(Statement& row) {
    RunGuestRecord guest;
    guest.run = static_cast<RunId>(row.number());
    guest.uri = row.text();
    const auto uuid = Uuid::parse(row.text());
    guest.name = row.text();
    const auto outcome = parse_word(row.text(), Outcome::failed);
    if (!uuid || !outcome)
        return std::nullopt;
    guest.uuid = *uuid;
    guest.outcome = *outcome;
    guest.cause = row.text();
    guest.started = time_point(row.maybe_number());
    guest.ended = time_point(row.maybe_number());
    guest.bytes.count = static_cast<std::uint64_t>(row.number());
    return guest;
}

std::optional<SpanRecord> span_row(Statement& row) {
    SpanRecord span;
    span.run = static_cast<RunId>(row.number());
    span.uri = row.text();
    const auto uuid = Uuid::parse(row.text());
    if (!uuid)
        return std::nullopt;
    span.uuid = *uuid;
    span.what = row.text();
    span.begin = time_point(row.number());
    span.end = time_point(row.maybe_number());
    span.note = row.text();
    return span;
}

std::optional<ResumeEntry> resume_row(Statement& row) {
    ResumeEntry entry;
    entry.uri = row.text();
    const auto uuid = Uuid::parse(row.text());
    if (!uuid || entry.uri.empty())
        return std::nullopt;
    entry.uuid = *uuid;
    entry.name = row.text();
    entry.was_paused = row.number() != 0;
    entry.transient = row.number() != 0;
    entry.expect_restore = row.number() != 0;
    entry.disk_identity = row.text();
    entry.run = static_cast<RunId>(row.number());
    entry.since = wall_time(row.number());
    entry.last_error = row.text();
    return entry;
}

/// Appends to `records`, which so keep what was read before a damaged page.
template <class Record>
void read_into(std::vector<Record>& records, Statement statement,
               std::optional<Record> (*read)(Statement&), unsigned& skipped) {
    while (statement.next()) {
        if (auto record = read(statement))
            records.push_back(std::move(*record));
        else
            ++skipped;
    }
}

template <class Record>
std::vector<Record> read_all(Statement statement, std::optional<Record> (*read)(Statement&),
                             unsigned& skipped) {
    std::vector<Record> records;
    read_into(records, std::move(statement), read, skipped);
    return records;
}

constexpr std::string_view kResumeList =
    "SELECT uri, uuid, name, was_paused, transient, expect_restore, disk_identity, run, since,"
    " last_error FROM resume ";
constexpr std::string_view kRunColumns =
    "SELECT id, kind, trigger_word, state, boot_id, started, deadline, ended, started_wall, clean"
    " FROM run ";

void read_selections(Database& db, std::vector<RunRecord>& runs) {
    auto globs = db.prepare("SELECT glob FROM run_selection WHERE run = ? ORDER BY id");
    for (auto& run : runs) {
        globs.bind(std::int64_t{run.id});
        while (globs.next())
            run.selection.push_back(globs.text());
        globs.rewind();
    }
}

/// After a drain of a host that went down, this is a new life of the host whatever the boot id
/// says: a soft reboot keeps the kernel, and containers may share its boot id.
bool boot_run_done(Database& db, const std::string& boot_id) {
    auto found = db.prepare(
        "SELECT 1 FROM run AS boot WHERE boot_id = ?1 AND kind = ?2 AND trigger_word = ?3"
        " AND NOT EXISTS (SELECT 1 FROM run AS drain WHERE drain.boot_id = ?1"
        " AND drain.id > boot.id AND drain.trigger_word IN (?4, ?5, ?6, ?7, ?8))");
    found.bind_all(std::string_view{boot_id}, to_string(RunKind::boot),
                   to_string(Trigger::host_boot), to_string(Trigger::soft_reboot),
                   to_string(Trigger::reboot), to_string(Trigger::poweroff),
                   to_string(Trigger::halt), to_string(Trigger::kexec));
    return found.next();
}

/// Runs one part of a salvage; whatever stops it stops only that part.
template <class Part>
void attempt(Part part) noexcept {
    try {
        part();
    } catch (const std::exception&) {
        // Damage is why we are here.
    }
}

/// Of the rows, and of what only their copy in the index has: a guest that never was is reported as
/// gone, one that is missing stays down. Newer files, and older ones, may have no copy.
std::vector<ResumeEntry> salvage_entries(Database& db) {
    std::vector<ResumeEntry> entries;
    std::vector<ResumeEntry> copies;
    unsigned skipped = 0;
    const std::string select{kResumeList};
    attempt([&] {
        read_into(entries, db.prepare(select + "NOT INDEXED ORDER BY id"), resume_row, skipped);
    });
    attempt([&] {
        read_into(copies, db.prepare(select + "INDEXED BY resume_copy"), resume_row, skipped);
    });
    for (auto& copy : copies) {
        const auto same = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
            return entry.uri == copy.uri && entry.uuid == copy.uuid;
        });
        if (same == entries.end())
            entries.push_back(std::move(copy));
        else
            same->transient = same->transient && copy.transient;  // such are only reported
    }
    return entries;
}

/// Newest first; as above.
std::vector<RunRecord> salvage_runs(Database& db) {
    std::vector<RunRecord> runs;
    std::vector<RunRecord> copies;
    unsigned skipped = 0;
    const auto read = [&](std::vector<RunRecord>& into, std::string_view how) {
        auto rows = db.prepare(std::string{kRunColumns}.append(how));
        rows.bind(kKeptRuns);
        read_into(into, std::move(rows), run_row, skipped);
    };
    attempt([&] { read(runs, "NOT INDEXED ORDER BY id DESC LIMIT ?"); });
    attempt([&] { read(copies, "INDEXED BY run_copy LIMIT ?"); });
    for (auto& copy : copies)
        if (std::none_of(runs.begin(), runs.end(),
                         [&](const auto& run) { return run.id == copy.id; }))
            runs.push_back(std::move(copy));
    std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
    return runs;
}

}  // namespace

Salvage salvage(Database& db) noexcept {
    Salvage found;
    attempt([&] { found.entries = salvage_entries(db); });
    attempt([&] { found.runs = salvage_runs(db); });
    attempt([&] { read_selections(db, found.runs); });
    unsigned skipped = 0;
    for (const auto& run : found.runs)
        if (run.state == RunState::active)
            attempt([&] {
                auto guests = read_guests(db, run.id, skipped);
                found.guests.insert(found.guests.end(), guests.begin(), guests.end());
            });
    attempt([&] { found.config = read_config(db); });
    return found;
}

std::vector<ResumeEntry> read_resume_list(Database& db, unsigned& skipped) {
    return read_all(db.prepare(std::string{kResumeList} + "ORDER BY id"), resume_row, skipped);
}

std::vector<RunRecord> read_runs(Database& db, std::int64_t limit, unsigned& skipped) {
    auto statement = db.prepare(std::string{kRunColumns} + "ORDER BY id DESC LIMIT ?");
    statement.bind(limit);
    auto runs = read_all(std::move(statement), run_row, skipped);
    read_selections(db, runs);
    return runs;
}

std::vector<RunGuestRecord> read_guests(Database& db, RunId run, unsigned& skipped) {
    auto statement = db.prepare(
        "SELECT run, uri, uuid, name, outcome, cause, started, ended, bytes FROM run_guest"
        " WHERE run = ? ORDER BY id");
    statement.bind(std::int64_t{run});
    return read_all(std::move(statement), guest_row, skipped);
}

std::vector<SpanRecord> read_spans(Database& db, RunId run, unsigned& skipped) {
    auto statement = db.prepare(
        "SELECT run, uri, uuid, what, begin_at, end_at, note FROM span WHERE run = ? ORDER BY id");
    statement.bind(std::int64_t{run});
    return read_all(std::move(statement), span_row, skipped);
}

std::map<std::string, double> read_learned(Database& db) {
    std::map<std::string, double> learned;
    auto row = db.prepare("SELECT key, value FROM learned");
    while (row.next()) {
        auto key = row.text();
        learned[std::move(key)] = row.real();
    }
    return learned;
}

std::optional<std::string> read_config(Database& db) {
    auto row = db.prepare("SELECT value FROM kept_text WHERE key = 'config'");
    return row.next() ? std::optional{row.text()} : std::nullopt;
}

Restored read_restored(Database& db, const std::string& boot_id, unsigned& skipped) {
    Restored restored;
    restored.resume_list = read_resume_list(db, skipped);
    restored.last_run = static_cast<RunId>(
        db.number("SELECT max(id) FROM (SELECT id FROM run UNION ALL SELECT run FROM resume)"));
    restored.boot_run_done = boot_run_done(db, boot_id);
    restored.learned = read_learned(db);
    auto statement = db.prepare(std::string{kRunColumns} + "WHERE state = ? ORDER BY id DESC");
    statement.bind(to_string(RunState::active));
    auto active = read_all(std::move(statement), run_row, skipped);
    if (!active.empty()) {
        active.resize(1);
        read_selections(db, active);
        restored.unfinished_guests = read_guests(db, active.front().id, skipped);
        restored.unfinished = std::move(active.front());
    }
    return restored;
}

}  // namespace guestd::store
