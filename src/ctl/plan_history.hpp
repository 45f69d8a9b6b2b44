// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "ctl/client.hpp"
#include "plan/fleet.hpp"

namespace guestd::ctl {

/// Fills in how long each guest took to stop, start and be ready, and how fast each URI's disk took
/// saves, as the last runs in guestd's history have it. What is known already stays.
void learn_from_history(Client& client, plan::Fleet& fleet);

}  // namespace guestd::ctl
