// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The critical chain: from the guest that ends last back to one that began with the run, each
/// link the guest whose end let the next one begin. Who wants a shorter run shortens one of these.

#include "plan/policies.hpp"

namespace guestd::plan {

/// Fills `chain`, and marks its ways as critical. O(n log n).
void find_chain(Scenario& scenario, const Fleet& fleet, const Policies& policies, RunKind kind);
/// Of a run that has been, whose policies nobody knows any more: only its times tell.
void find_chain(Scenario& scenario, const Fleet& fleet);

}  // namespace guestd::plan
