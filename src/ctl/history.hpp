// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "ctl/client.hpp"

namespace guestd::ctl {

/// The run of this number, 0 = the newest. Throws Stop when there is none.
Json find_run(Client& client, std::uint32_t number);

}  // namespace guestd::ctl
