// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// One call of the core, carried out.

#include <functional>

#include "libvirt/connection.hpp"
#include "libvirt/context.hpp"
#include "libvirt/observe.hpp"

namespace guestd::libvirt {

/// What came of a call; `place` is the guest's place in the stream of events from just before its
/// state was re-read.
struct Carried {
    CallReturned result;
    Outlet::Mark place;
    Depth depth = Depth::state;  ///< of the reading
};
/// Blocks for as long as libvirt takes, and always returns a result. `may_act` is asked once the
/// guest is found, before anything is done to it: connecting may have taken so long that nobody
/// wants the call any more.
Carried carry_out(UriContext& context, Connection& connection, const Call& call,
                  const std::function<bool()>& may_act);

/// Reads the guest's state again after Outlet::post() refused the first reading.
void read_again(UriContext& context, Connection& connection, Carried& carried);

}  // namespace guestd::libvirt
