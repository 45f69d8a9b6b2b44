// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What each kind of call asks of libvirt.
///
/// Drivers differ in what they know. Where a flag only makes a thing nicer it is dropped and the
/// thing asked for again; where it says what is meant, the driver's "no" stands.

#include "libvirt/acted.hpp"
#include "libvirt/context.hpp"

namespace guestd::libvirt {

/// Blocks for as long as libvirt takes.
Acted act(UriContext& context, virDomainPtr domain, const Call& call);

}  // namespace guestd::libvirt
