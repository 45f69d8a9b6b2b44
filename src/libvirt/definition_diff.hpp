// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// In what a guest's definition differs from the one that its saved image was made with.
///
/// An administrator may change the definition while the guest is asleep, and the restore does not
/// heed it: the guest wakes up as it was, and has the change only after its next boot. What counts
/// is what an administrator decides on: memory, processors, which devices. What libvirt adds to
/// what it was given (aliases, addresses, controllers, models, labels) comes and goes with its
/// versions, and with whether the guest was running; none of that is looked at.

#include <string>
#include <vector>

namespace guestd::libvirt {

/// Both are domain XML. In words for people, always in the same order; no more than ten, and
/// then how many there are besides. Empty where one of the two is no domain XML. Pure.
std::vector<std::string> definition_differences(const char* image, const char* definition);

}  // namespace guestd::libvirt
