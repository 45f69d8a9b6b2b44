// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The calls to libvirt that are under way: who waits for which, and how many long ones a URI has.
/// Survives runs: a drain must know of the start that a superseded boot run still has in flight.

#include <map>
#include <optional>
#include <vector>

#include "guestd/commands.hpp"

namespace guestd::core {

class Calls {
public:
    struct InFlight {
        GuestId guest;
        CallKind kind = CallKind::probe;
        TimePoint submitted{};
    };

    /// Gives the call its id, remembers it, and puts it into the outbox.
    CallId submit(Outbox& out, Call call, TimePoint now);
    /// The call is over; empty when nobody waits for it (abandoned, or of an earlier connection).
    std::optional<InFlight> finish(CallId id);
    void abandon(Outbox& out, CallId id);
    /// Every call that changes this guest, but `keep`.
    void abandon_modifying(Outbox& out, const GuestId& guest, CallId keep);

    bool under_way(CallId id) const { return calls_.contains(id); }
    unsigned long_calls(UriId uri) const;
    /// A call that changes this guest is under way.
    std::optional<CallKind> modifying(const GuestId& guest) const;
    std::optional<CallId> find(const GuestId& guest, CallKind kind) const;
    std::vector<GuestId> guests_with(CallKind kind) const;

private:
    CallId last_ = 0;
    std::map<CallId, InFlight> calls_;
    std::map<UriId, unsigned> long_calls_;
    std::multimap<GuestId, CallId> of_guest_;
};

}  // namespace guestd::core
