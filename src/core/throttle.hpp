// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// How fast the guests of one URI come up: how many at once, how far apart, and whether the host
/// can take another one now.
///
/// A guest counts from its start call until it is ready, and so does all the memory that it may
/// have: what a booting guest will take is not missing from the host's free memory yet.

#include <optional>
#include <string>

#include "guestd/events.hpp"
#include "guestd/policy.hpp"

namespace guestd::core {

class Throttle {
public:
    Throttle() = default;
    /// `local`: its guests run on this host, whose pressure and memory count.
    Throttle(const UriPolicy& policy, bool local, TimePoint now);

    /// One is on its way up.
    void entered(Bytes memory);
    /// A start call goes out.
    void started(TimePoint now);
    /// One of them is ready, or no longer on its way.
    void left(Bytes memory, bool ready);
    void measured(const HostMeasured& host, TimePoint now);
    /// `waiting`: there are guests that could start but for this. True when the host is to be
    /// measured.
    bool wants_measure(bool waiting) const;
    /// Nobody measures any more: what is known will be old.
    void forget_measure() { host_.reset(), asked_ = pressed_since_ = kNever; }
    /// The last answer of hold() was about the host's pressure.
    bool held_by_pressure() const { return held_by_pressure_; }

    unsigned active() const { return active_; }
    /// Guests at once; 0 = no limit but libvirt's.
    unsigned limit() const { return policy_.adaptive_parallel ? adaptive_ : policy_.max_parallel; }
    /// Why no further guest may start now; "" = one may. Sets when to ask again.
    const std::string& hold(TimePoint now);
    /// Why a guest of this size may not; "" = it may.
    std::string hold_for_memory(Bytes memory) const;
    /// When hold() may say something else though nothing has happened.
    TimePoint wake_up() const { return wake_up_; }

private:
    std::string pressure_text() const;
    bool low() const;
    void hold_for_pressure(TimePoint now);

    UriPolicy policy_;
    bool local_ = false;
    unsigned active_ = 0;
    Bytes promised_{};  ///< memory of those that are on their way up
    unsigned adaptive_ = 1;
    TimePoint halved_{};
    TimePoint next_start_{};
    TimePoint wake_up_ = kNever;
    TimePoint asked_ = kNever;  ///< the host's measure, and there is none yet
    TimePoint pressed_since_ = kNever;
    std::optional<HostMeasured> host_;
    std::string hold_;
    bool held_by_pressure_ = false;
};

}  // namespace guestd::core
