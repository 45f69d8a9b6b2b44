// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Starting a guest, and what is wrong when it does not start.

#include "libvirt/acted.hpp"
#include "libvirt/context.hpp"

namespace guestd::libvirt {

/// Boots or restores. Blocks for as long as libvirt takes.
Acted start(const UriContext& context, virDomainPtr domain, const Call& call);

/// A code that says that libvirt cannot do what the definition asks for, and never will. Few do:
/// most mistakes of a definition only show when QEMU does not start, as VIR_ERR_INTERNAL_ERROR,
/// like so much else.
bool blames_definition(const Fault& fault);

}  // namespace guestd::libvirt
