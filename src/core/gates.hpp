// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What guests need from outside before they may start: mounts, paths, pools, networks, units.
///
/// A need is watched once, however many guests have it, as long as one of them waits. It may come
/// and go: what counts is how it is when the guest's turn comes.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/context.hpp"

namespace guestd::core {

class Gates {
public:
    /// The guest needs these, beside what it was known to need.
    void add(Context& ctx, const GuestId& guest, const std::string& name,
             const std::vector<Need>& needs);
    /// The guest waits no longer, for any of them.
    void drop(Context& ctx, const GuestId& guest);
    /// The guests that it is about; empty when the watch is none of these.
    std::vector<GuestId> apply(const WatchChanged& event);
    /// What is not there: "mount:/srv (not mounted)". "" = nothing, the guest may start.
    std::string closed(const GuestId& guest) const;
    /// Somebody has looked at all of it.
    bool known(const GuestId& guest) const;

private:
    struct Gate {
        std::string need;    ///< "mount:/srv"
        bool known = false;  ///< somebody has looked
        bool holds = false;
        std::string text;
        std::set<GuestId> guests;
    };
    /// Pools and networks are libvirt's, one URI's; the rest is the host's.
    using Key = std::pair<std::optional<UriId>, std::string>;

    std::map<Key, WatchId> known_;
    std::map<WatchId, std::pair<Key, Gate>> gates_;
    std::map<GuestId, std::set<WatchId>> of_guest_;
};

}  // namespace guestd::core
