// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Others that would do guestd's work as well, or keep it from being done. Two that stop the same
/// guests get into each other's way; two that start them start them all at once.

#include <string>
#include <vector>

#include "takeover/host_facts.hpp"

namespace guestd::takeover {

/// A sentence each, for people, with what to do about it. Pure.
std::vector<std::string> conflicts(const HostFacts& host);

/// The same of this host, for guestd at its start and at a reload. Blocks on the disk for some
/// small files.
std::vector<std::string> conflicts(const config::Config& config);

}  // namespace guestd::takeover
