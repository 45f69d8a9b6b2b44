// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The watches that are open, and whose they are. Survives runs, so that no number is used twice.

#include <map>
#include <optional>
#include <utility>

#include "guestd/commands.hpp"

namespace guestd::core {

class Watches {
public:
    WatchId open(Outbox& out, Watch watch) {
        watch.id = ++last_;
        guests_.emplace(watch.id, watch.guest);
        out.emplace_back(std::move(watch));
        return last_;
    }

    /// And forgets the number; 0 and one that is closed already do nothing.
    void close(Outbox& out, WatchId& id) {
        if (guests_.erase(id) > 0)
            out.emplace_back(Unwatch{id});
        id = 0;
    }

    /// Empty when it is not open.
    std::optional<GuestId> guest(WatchId id) const {
        const auto found = guests_.find(id);
        return found == guests_.end() ? std::nullopt : std::optional{found->second};
    }

private:
    WatchId last_ = 0;
    std::map<WatchId, GuestId> guests_;
};

}  // namespace guestd::core
