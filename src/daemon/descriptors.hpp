// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace guestd::daemon {

/// A warning when this process may open too few files for the connections to so many URIs:
/// libvirt's event loop ends a process that may open no more. Any thread.
std::vector<std::string> descriptor_warnings(std::size_t uris);

}  // namespace guestd::daemon
