// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What a run would do: the real core, in virtual time, against guests that behave as they have
/// been seen to (*expected*) and against guests that obey nobody (*worst*).
///
/// A boot is planned as a whole reboot: first the drain, then the boot that brings back what it
/// took down. Pure: the same input gives the same plan.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guestd/policy.hpp"
#include "guestd/types.hpp"
#include "plan/fleet.hpp"

namespace guestd::plan {

struct Request {
    RunKind kind = RunKind::drain;
    Trigger trigger = Trigger::reboot;  ///< of the drain; that before the boot, when one is planned
    std::optional<Duration> deadline;   ///< of the drain; overrides every URI's
};

/// Times count from the start of the run.
struct Stretch {
    std::string what;  ///< as SpanRecord has it
    Duration begin{};
    Duration end{};
    std::string note;
};

/// One guest's way through the run.
struct Way {
    std::size_t guest = 0;  ///< its place in the fleet
    std::vector<Stretch> stretches;
    Outcome outcome = Outcome::pending;
    std::string cause;
    bool late = false;  ///< it did not make it in its time: see `late_because`
    std::string late_because;
    bool critical = false;  ///< lies on the chain that makes the run as long as it is

    /// Whether a stretch of this kind is part of it.
    bool has(std::string_view what) const;
    /// Of its first stretch that is not spent waiting; its end when there is none.
    Duration begin() const;
    Duration end() const;
};

/// A link of the critical chain: this guest could begin only when the one before had ended.
struct Link {
    std::size_t way = 0;  ///< place in Scenario::ways
    std::string why;      ///< "starts with the run", "after db", "takes the place of db"
};

struct Scenario {
    std::vector<Way> ways;  ///< in the order of their begin
    Duration length{};
    std::optional<Duration> deadline;  ///< the latest of the URIs'
    std::vector<Link> chain;           ///< in the order of time
    bool ended = true;                 ///< false: not within a week
};

enum class Weight { note, warning };

/// Something worth knowing before it happens.
struct Finding {
    Weight weight = Weight::warning;
    std::string code;                 ///< "ladder-over-deadline": for programs, never changes
    std::string text;                 ///< raw names
    std::vector<std::string> guests;  ///< all whom it is about
};

struct Plan {
    Scenario expected;
    Scenario worst;
    std::vector<Finding> findings;
};

/// At most kMostGuests guests, each with a UUID of its own within its URI.
Plan make_plan(const Fleet& fleet, std::shared_ptr<const PolicySource> policy,
               const Request& request);

}  // namespace guestd::plan
