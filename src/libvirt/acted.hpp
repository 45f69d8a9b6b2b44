// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What came of a call, before it is known what it means.

#include <optional>
#include <string>
#include <vector>

#include "libvirt/errors.hpp"

namespace guestd::libvirt {

struct Acted {
    std::optional<Fault> fault;  ///< empty = libvirt says it did it
    std::string remark;          ///< what else there is to say of it, for people
    Bytes bytes{};               ///< written by a save, where the driver tells
    GuestJob job = GuestJob::none;
    bool unfit = false;                ///< of a start: no further try will bring it
    std::vector<std::string> missing;  ///< of a start: disks that are not there
    std::string address;
    std::optional<SavedImage> image;
};

inline Acted outcome(int returned) {
    return {.fault = returned < 0 ? std::optional{last_fault()} : std::nullopt};
}

}  // namespace guestd::libvirt
