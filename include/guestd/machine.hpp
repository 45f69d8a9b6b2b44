// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The core: every decision of guestd, and nothing else.
///
/// `step(event, now)` is a pure function of the machine's state: no clock, no I/O, no lock, no
/// log. The daemon, the simulator and the tests all drive the same object. Whoever drives it
/// - calls step() with every event, in the order of arrival, and with TimeElapsed when
///   next_deadline() has come;
/// - carries out the returned commands in their order;
/// - hands every result back as an event.
/// `now` never goes backwards between two calls.
///
/// Invariants: at most one run is active; a drain supersedes a boot run; no guest has two modifying
/// calls at once (an abort, a destroy, and ACPI beside an agent call that hangs excepted); nothing
/// is touched by a drain before its resume list is durable, or known not to become so.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guestd/commands.hpp"
#include "guestd/error.hpp"
#include "guestd/events.hpp"
#include "guestd/view.hpp"

namespace guestd {

class Machine {
public:
    /// `boot_id`: of this host boot. `uris`: index = UriId.
    Machine(std::string boot_id, std::vector<std::string> uris,
            std::shared_ptr<const PolicySource> policy);
    ~Machine();
    Machine(Machine&&) noexcept;
    Machine& operator=(Machine&&) noexcept;

    /// Once, before any event: takes up what an earlier life left. Continues an unfinished run of
    /// this boot; begins the boot run when this boot has had none, unless `safe_boot`.
    Outbox restore(const Restored& restored, bool safe_boot, TimePoint now);

    Outbox step(const Event& event, TimePoint now);

    /// When step(TimeElapsed) is due; kNever when nothing is.
    TimePoint next_deadline() const;

    // What it shows.
    std::optional<RunProgress> active_run() const;
    /// 0 = none. Costs nothing, unlike active_run(): to be asked after every step.
    RunId active_run_id() const;
    /// The run that ended last in this life, for exit codes and status.
    std::optional<RunRecord> last_run() const;
    std::vector<GuestProgress> progress() const;
    std::vector<ResumeEntry> resume_list() const;
    struct UriView {
        std::string uri;
        bool listed = false;
        std::string reason;  ///< why not
        TimePoint since{};   ///< of its answering, or of its silence; 0 = since guestd started
        std::vector<const GuestInfo*> guests;  ///< by UUID; valid until the machine's next event
    };
    /// Copies nothing of the guests: metadata may be long, and status is asked for often.
    std::vector<UriView> uris() const;

    /// True when a run of this kind can be asked for now; else why not.
    std::optional<std::string> refusal(const RunRequested& request) const;
    /// Puts a guest on the resume list, on an administrator's word. False: it is up, or on it
    /// already. Fails for a URI that is not ours, and for a guest that an answering URI has not.
    Result<bool> remember(const std::string& uri, const Uuid& uuid, Outbox& out);
    /// Removes an entry from the resume list, on an administrator's word. False: no such entry.
    bool forget(const std::string& uri, const Uuid& uuid, Outbox& out);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace guestd
