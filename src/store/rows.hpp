// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Records to rows and back. All functions throw SqliteError; the writing ones expect a
/// transaction around them.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "guestd/commands.hpp"
#include "guestd/records.hpp"
#include "store/sqlite.hpp"

namespace guestd::store {

/// As many runs as `guestctl history` and the learned durations can make use of: with a reboot a
/// day, the boot and drain runs of three months. Older ones go when a new one comes.
inline constexpr std::int64_t kKeptRuns = 200;

/// The configuration that was last found good.
struct KeepConfig {
    std::string text;
};

void apply(Database& db, const StoreRun& command);
void apply(Database& db, const StoreEntries& command);
void apply(Database& db, const DropEntry& command);
void apply(Database& db, const StoreGuest& command);
void apply(Database& db, const StoreSpan& command);
void apply(Database& db, const StoreRunEnd& command);
void apply(Database& db, const KeepConfig& command);
void apply(Database& db, const StoreLearned& command);

/// What can be read of a file that is damaged, or of another version. Does not throw.
struct Salvage {
    std::vector<ResumeEntry> entries;
    std::vector<RunRecord> runs;         ///< newest first
    std::vector<RunGuestRecord> guests;  ///< of the runs that are still active
    std::optional<std::string> config;
};
Salvage salvage(Database& db) noexcept;

// Rows that make no sense (an unknown word, no UUID) are left out and counted in `skipped`: one
// bad row must not hide the others. Lists come in the order in which they were written.

std::vector<ResumeEntry> read_resume_list(Database& db, unsigned& skipped);
/// Newest first.
std::vector<RunRecord> read_runs(Database& db, std::int64_t limit, unsigned& skipped);
std::vector<RunGuestRecord> read_guests(Database& db, RunId run, unsigned& skipped);
std::vector<SpanRecord> read_spans(Database& db, RunId run, unsigned& skipped);
std::map<std::string, double> read_learned(Database& db);
std::optional<std::string> read_config(Database& db);

/// Everything a start of guestd wants to know.
Restored read_restored(Database& db, const std::string& boot_id, unsigned& skipped);

}  // namespace guestd::store
