// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What must survive guestd, libvirt and the host: the rows of the store.
///
/// The resume list is *intent*; libvirt is the truth. After any restart the core reads both and
/// judges by libvirt. URIs are stored as text, times together with the boot id they belong to.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd {

/// One guest that a drain run found running and that the next boot run must bring back. It leaves
/// the list only when the guest is confirmed running.
struct ResumeEntry {
    std::string uri;
    Uuid uuid;
    std::string name;  ///< for people
    bool was_paused = false;
    bool transient = false;       ///< kept to be reported as gone, it cannot come back
    bool expect_restore = false;  ///< a complete managed save image was made
    std::string disk_identity;    ///< opaque text to be compared before a restore, "" = unknown
    RunId run = 0;                ///< the drain run that wrote it
    WallTime since{};
    std::string last_error;  ///< of the last attempt to bring it back
    bool operator==(const ResumeEntry&) const = default;
};

enum class RunState { active, finished, cancelled, superseded };
std::string_view to_string(RunState state);
std::optional<RunState> parse_run_state(std::string_view text);

struct RunRecord {
    RunId id = 0;
    RunKind kind = RunKind::boot;
    Trigger trigger = Trigger::manual;
    RunState state = RunState::active;
    std::string boot_id;  ///< of the host boot whose clock the TimePoints are on
    TimePoint started{};
    TimePoint deadline = kNever;  ///< drain: the latest of its URIs' hard deadlines
    std::optional<TimePoint> ended;
    WallTime started_wall{};
    bool clean = true;                   ///< result, once ended: every outcome was clean
    std::vector<std::string> selection;  ///< globs; empty = all guests
    bool operator==(const RunRecord&) const = default;
};

/// One guest of one run. `expected` rows are written with the run, so that a run that was
/// interrupted knows whom it has not dealt with.
struct RunGuestRecord {
    RunId run = 0;
    std::string uri;
    Uuid uuid;
    std::string name;
    Outcome outcome = Outcome::pending;
    std::string cause;                 ///< why, in words for people
    std::optional<TimePoint> started;  ///< first call or request
    std::optional<TimePoint> ended;
    Bytes bytes{};  ///< written by a save
    bool operator==(const RunGuestRecord&) const = default;
};

/// A stretch of a guest's way through a run, for history, plot and learned durations:
/// "waiting", "starting", "settling", "shutdown", "save", "destroy", "migrate", "resume", "abort".
struct SpanRecord {
    RunId run = 0;
    std::string uri;
    Uuid uuid;
    std::string what;
    TimePoint begin{};
    std::optional<TimePoint> end;
    std::string note;  ///< "refused: …", "timed out", what it was held for
    bool operator==(const SpanRecord&) const = default;
};

/// What a fresh start of guestd finds in the store.
struct Restored {
    std::vector<ResumeEntry> resume_list;
    std::optional<RunRecord> unfinished;  ///< newest run still `active`, of any boot
    std::vector<RunGuestRecord> unfinished_guests;
    RunId last_run = 0;
    bool boot_run_done = false;  ///< this boot id has had its boot run (finished or not)
    bool new_boot = false;       ///< user space has been started since, whatever the boot id says
    std::map<std::string, double> learned;  ///< see StoreLearned
    std::vector<std::string> known_uris;    ///< that have answered in this boot
};

}  // namespace guestd
