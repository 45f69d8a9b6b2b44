// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// One disk whose bandwidth all transfers under way share evenly: saves and restores of a URI.

#include <functional>
#include <map>

#include "guestd/types.hpp"
#include "sim/clockwork.hpp"

namespace guestd::sim {

class Disk {
public:
    /// `per_stream`: no single transfer is faster; zero = no such limit.
    Disk(Clockwork& clockwork, Bytes per_second, Bytes per_stream)
        : clockwork_(clockwork), rate_(per_second), stream_(per_stream) {}

    /// A guest has one transfer at a time. `done` runs when all bytes are through.
    void begin(const GuestId& guest, Bytes bytes, std::function<void()> done);
    void abort(const GuestId& guest);
    /// What is through; zero when there is no transfer.
    Bytes progress(const GuestId& guest);

private:
    struct Transfer {
        double total = 0;
        double left = 0;
        std::function<void()> done;
    };
    double share() const;  ///< bytes per second of each transfer
    void settle();
    void rearm();

    Clockwork& clockwork_;
    Bytes rate_;
    Bytes stream_;
    std::map<GuestId, Transfer> transfers_;
    TimePoint settled_{};
    unsigned generation_ = 0;
};

}  // namespace guestd::sim
