// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// libvirt's numbers in the words of the core. Pure.

#include <optional>

#include "guestd/events.hpp"

namespace guestd::libvirt {

/// From a virDomainState.
GuestState state_of(int state);

/// True for the reason that libvirt gives a guest which it has paused in order to save it.
bool is_paused_for_save(int state, int reason);

/// True for the reason that libvirt gives a guest which it has not started to the end: its CPUs
/// have never run.
bool is_starting(int state, int reason);

/// From a virDomainJobOperation; for a job that is there, so never `none`.
GuestJob job_of(int operation);

/// From a virDomainEventType and its detail; empty for what only a reading can tell, and for what
/// changes nothing we know of.
std::optional<Lifecycle> lifecycle_of(int event, int detail);

}  // namespace guestd::libvirt
