// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Calls with flags that not every driver, or file system, knows.

#include <initializer_list>
#include <optional>

#include "libvirt/errors.hpp"

namespace guestd::libvirt {

/// Calls with each set of flags in turn while the driver says that it does not know them.
template <class F>
int with_flags(std::initializer_list<unsigned> alternatives, F call) {
    int outcome = -1;
    std::optional<unsigned> tried;
    for (const unsigned flags : alternatives) {
        if (tried == flags) {
            continue;
        }
        tried = flags;
        outcome = call(flags);
        if (outcome >= 0 || !is_unsupported(last_fault())) {
            break;
        }
    }
    return outcome;
}

/// Calls once more without `bypass` where the images' file system has no way around the cache.
template <class F>
int with_bypass(unsigned bypass, unsigned flags, F call) {
    const int outcome = call(flags);
    const bool again = outcome < 0 && (flags & bypass) != 0 && is_direct_io_refused(last_fault());
    return again ? call(flags & ~bypass) : outcome;
}

}  // namespace guestd::libvirt
