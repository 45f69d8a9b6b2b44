// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace guestd::core {

/// Whether libvirt is reached without a network: no host in the URI, and none behind its transport.
bool is_local(std::string_view uri);

}  // namespace guestd::core
