// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What libvirt-guests keeps, and where guestd means something else by the same words.

#include <string>
#include <vector>

#include "config/sysconfig.hpp"

namespace guestd::ctl {

struct ListedGuest {
    std::string uri;
    std::string uuid;
};

/// /var/lib/libvirt/libvirt-guests: a URI per line, then the UUIDs of its guests. What is no UUID
/// is passed over; nothing in the file is trusted.
std::vector<ListedGuest> parse_list(const std::string& text);

/// One sentence for each difference that these settings, or their absence, make.
std::vector<std::string> differences(const std::vector<config::Variable>& variables);

}  // namespace guestd::ctl
