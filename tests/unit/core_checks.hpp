// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What must hold of every transcript, whatever fleet, policy and faults made it. Each check
/// returns what is wrong, or nothing.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/transcript.hpp"

namespace guestd::testing {

using Complaint = std::optional<std::string>;

/// The rule of machine.hpp: no guest has two modifying calls at once; a destroy may come beside
/// anything, ACPI beside an agent call.
Complaint two_calls_at_once(const sim::Transcript& transcript);

/// Never more long calls of one life under way on a URI than its listing allows.
Complaint too_many_long_calls(const sim::Transcript& transcript);

/// Between start call and outcome (or failed try), per URI and life.
Complaint too_many_starting(const sim::Transcript& transcript, unsigned limit);

/// Between two start calls on one URI, in one life.
Complaint too_little_delay(const sim::Transcript& transcript, Duration delay);

/// Guests reported done more often than once in one run.
Complaint two_outcomes(const sim::Transcript& transcript);

/// When each guest's end was reported, for the last run that had it.
std::map<GuestId, TimePoint> ends(const sim::Transcript& transcript);

}  // namespace guestd::testing
