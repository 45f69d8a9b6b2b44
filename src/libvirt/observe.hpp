// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Reading one guest.

#include <optional>
#include <string>

#include "libvirt/context.hpp"
#include "libvirt/domain_xml.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

inline constexpr const char* kPolicyNamespace = "urn:guestd:policy:1";

/// Empty when the guest is in a job that the reading would have to wait for, or is gone. Blocks.
std::optional<XmlFacts> read_xml(const UriContext& context, virDomainPtr domain);

/// Our metadata element, as XML; "" when there is none, or the driver has no metadata. Takes no
/// job. Cut at 64 KiB: policy is some hundred bytes, more is a mistake or an attack. Blocks.
std::string read_metadata(const UriContext& context, virDomainPtr domain);

/// The guest as it is now: `state` absent if there is none; nothing if it cannot be read. Whose
/// image has just been seen (`has_image`) is not asked for it again while it is saved. Blocks.
std::optional<GuestInfo> observe(UriContext& context, virDomainPtr domain, Depth depth,
                                 bool has_image = false);

}  // namespace guestd::libvirt
