// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What only a guest's XML tells. libvirt writes it, but of what users gave it.

#include <string>
#include <vector>

#include "guestd/types.hpp"

namespace guestd::libvirt {

struct XmlFacts {
    Bytes memory{};
    bool agent_channel = false;
    bool agent_connected = false;
    std::vector<std::string> disks;  ///< "vda"
    std::vector<std::string> macs;   ///< of its interfaces
};
/// Pure. Text that is no domain XML gives the defaults.
XmlFacts parse_domain_xml(const char* text);

}  // namespace guestd::libvirt
