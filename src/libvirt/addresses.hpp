// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Where a guest can be reached.
///
/// Three can tell, of which each knows what the others do not: the DHCP server of a network of
/// libvirt's, the guest's agent, and the host's ARP table. The first that tells anything useful is
/// believed.

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libvirt/context.hpp"
#include "libvirt/errors.hpp"

namespace guestd::libvirt {

struct GuestAddress {
    std::string mac;   ///< of the interface; "" = not told
    std::string text;  ///< "192.0.2.7"
};

/// The one to use: not of the guest's own or of its link only; of an interface in `macs` (what the
/// guest has inside it, for its containers say, is nowhere to be reached from here) rather than of
/// another; IPv4 rather than IPv6; the first. "" = none of them. Pure.
std::string best_address(const std::vector<GuestAddress>& found,
                         const std::vector<std::string>& macs);

/// "" = none yet. A fault where the driver knows no addresses at all. Blocks; what it asks of the
/// agent is bounded.
tl::expected<std::string, Fault> find_address(UriContext& context, virDomainPtr domain);

}  // namespace guestd::libvirt
