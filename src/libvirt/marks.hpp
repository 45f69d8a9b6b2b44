// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The mark in libvirt itself on a guest that is to be brought back: a second record, for when the
/// first cannot be written.
///
/// libvirt's own "autostart once" where the driver has it (11.2), so that the guest comes back even
/// without guestd; else an element in the metadata of the guest's persistent definition. An upgrade
/// of libvirt may lie between marking and looking: both kinds count, and both are taken away.

#include "libvirt/handles.hpp"

namespace guestd::libvirt {

inline constexpr const char* kResumeNamespace = "urn:guestd:resume:1";

// All block. Failures are -1 and last_fault(). Changing waits for the guest's job lock.

/// Fails for a transient guest, which cannot come back.
int mark(virDomainPtr domain);
/// No failure when there is no mark.
int unmark(virDomainPtr domain);
/// Takes no job. False when it cannot be read.
bool is_marked(virDomainPtr domain);

}  // namespace guestd::libvirt
