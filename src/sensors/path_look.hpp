// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// One look at a path: may hang for as long as its file system does, so it belongs on a thread of
/// its own. It sets the watches first and judges then, so that what happens in between is heard.

#include <memory>
#include <string>
#include <vector>

#include "sensors/fd.hpp"

namespace guestd::sensors {

/// News of interest: of this name in the folder that the watch is on.
struct Lookout {
    int watch = -1;
    std::string name;
    bool operator==(const Lookout&) const = default;
};

struct Look {
    int error = 0;  ///< errno of the path; 0 = it is there
    std::vector<Lookout> lookouts;
};

/// Follows links. `inotify` (empty = do without) keeps the watches of this look, and none of
/// `before`, which the look before this one has set.
Look look_at(const std::shared_ptr<const Fd>& inotify, const std::string& path,
             const std::vector<Lookout>& before);

}  // namespace guestd::sensors
