// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Listing all guests of a URI.
///
/// A handful of calls however many guests there are: one listing, one more per flag, and the
/// statistics in batches. Only what no listing tells costs a call per guest: our metadata (if
/// wanted), the mark of guests that are off (marks.hpp), and the job of guests that are paused.

#include <optional>
#include <unordered_set>
#include <vector>

#include "guestd/error.hpp"
#include "libvirt/context.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

/// Handles of the guests that `flags` select, 0 = all; empty with last_fault(). Blocks.
std::optional<Domains> list_domains(virConnectPtr connection, unsigned flags);

/// Blocks. Fails only if there is no listing at all; what a driver does not tell stays at its
/// default. The agent, and the mark of a guest that is up already,
/// are not read here: see Control.
Result<std::vector<GuestInfo>> list_guests(const UriContext& context, virConnectPtr connection);

using Members = std::unordered_set<Uuid>;
/// The guests that `flags` select, in one call; empty when it failed, also where the driver cannot
/// list by such a flag. Blocks.
std::optional<Members> members(virConnectPtr connection, unsigned flags);

}  // namespace guestd::libvirt
