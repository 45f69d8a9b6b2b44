// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The live view: which URIs answer, and which guests they have.
///
/// Listings and observed states are the truth; lifecycle events only keep the view fresh between
/// them. A URI that is not listed keeps its last known guests: they are what a drain must account
/// for when libvirt has died.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "guestd/events.hpp"

namespace guestd::core {

struct Guest {
    GuestId id;
    GuestInfo info;
    /// The newest start or stop that an event told of; empty = none since it was listed.
    std::optional<Lifecycle> last;
    TimePoint saved_at = kNever;  ///< it was last seen to be saved; kNever = not since it was known
    bool paused_by_us = false;    ///< for its save; it is to come back running
};

struct UriState {
    std::string uri;
    bool listed = false;  ///< answers now
    bool known = false;   ///< has answered once, in this life or an earlier one
    std::string reason = "not connected yet";
    TimePoint since{};  ///< it has answered, or not, since then
    unsigned long_calls = 1;
};

class Fleet {
public:
    explicit Fleet(std::vector<std::string> uris);

    /// These have answered in an earlier life.
    void know(const std::vector<std::string>& uris);

    void apply(const InventoryListed& event, TimePoint now);
    void apply(const UriLost& event, TimePoint now);
    void apply(const GuestChanged& event, TimePoint now);
    void apply(const AutostartListed& event);
    void apply(const AgentChanged& event);
    void observe(const GuestId& id, const GuestInfo& info);
    void paused_by_us(const GuestId& id);

    const Guest* find(const GuestId& id) const;
    /// The guest's state; absent when unknown.
    bool up(const GuestId& id) const;  ///< and not only on its way up
    GuestState state(const GuestId& id) const;
    /// Ordered by UUID.
    std::vector<const Guest*> guests(UriId uri) const;
    const std::vector<UriState>& uris() const { return uris_; }
    const UriState& uri(UriId id) const { return uris_[static_cast<std::size_t>(id)]; }
    std::optional<UriId> uri_id(const std::string& uri) const;
    std::string name_of(const GuestId& id) const;

private:
    std::vector<UriState> uris_;
    std::map<GuestId, Guest> guests_;
};

}  // namespace guestd::core
