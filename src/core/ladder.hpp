// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// From the ladder of the policy to the rungs that fit this guest in its present state, and from
/// hard deadline to the latest end of each rung. Pure functions.

#include <string>
#include <vector>

#include "guestd/events.hpp"
#include "guestd/policy.hpp"

namespace guestd::core {

/// A step as it is carried out. `wake` and `resume` are never configured: they prepare a guest that
/// could not obey otherwise. `wait` asks for nothing: the guest goes down already.
enum class RungKind { wake, resume, wait, shutdown, save, destroy, leave, migrate };

struct Rung {
    RungKind kind = RungKind::shutdown;
    ShutdownMode mode = ShutdownMode::automatic;
    Duration time{};
    std::string target;
};

std::string_view to_string(RungKind kind);

/// Resuming and waking return at once when they work at all.
inline constexpr Duration kPrepareTime = std::chrono::seconds{10};

/// `time`, shortened as `whole` must be to fit into `part`.
Duration shortened(Duration time, Duration part, Duration whole);

/// Never empty. Rules (docs/architecture.md lists them for people):
/// crashed -> destroy; shutting down -> wait before the ladder; pmsuspended -> wake before it;
/// paused -> `paused` rule; transient -> `transient` rule, without any save.
std::vector<Rung> effective_ladder(const StopPolicy& policy, const GuestInfo& guest);

/// Latest end of each rung, so that all later ones still get their time before the deadline. When
/// the whole ladder does not fit, every rung is shortened in the same proportion; but the
/// last one keeps three seconds of its time, or half of what there is.
std::vector<TimePoint> latest_ends(const std::vector<Rung>& ladder, TimePoint start,
                                   TimePoint deadline);

/// 0 for expendable, 1 for normal, 2 for critical.
int tier_rank(Tier tier);
/// Parts of the time of a chain of dependents: who gets it when there is too little.
unsigned tier_weight(Tier tier);

/// Natural length of the ladder: the sum of its times.
Duration total_time(const std::vector<Rung>& ladder);

}  // namespace guestd::core
