// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// One call of the core, carried out.

#include "libvirt/connection.hpp"
#include "libvirt/context.hpp"
#include "libvirt/observe.hpp"

namespace guestd::libvirt {

/// Blocks for as long as libvirt takes. Always returns a result; `place` is the guest's place in
/// the stream of events from just before its state was re-read.
struct Carried {
    CallReturned result;
    Outlet::Mark place;
    Depth depth = Depth::state;  ///< of the reading
};
Carried carry_out(const UriContext& context, Connection& connection, const Call& call);

/// Reads the guest's state again after Outlet::post() refused the first reading.
void read_again(const UriContext& context, Connection& connection, Carried& carried);

}  // namespace guestd::libvirt
