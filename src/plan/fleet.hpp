// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The guests that a plan is made for, wherever they were read from, and how fast they are as far
/// as anybody knows.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd::plan {

/// Measured or declared; empty = an assumption of ours takes its place.
struct Pace {
    std::optional<Duration> shutdown;  ///< from being asked to being off
    std::optional<Duration> start;     ///< of the start call, from nothing
    std::optional<Duration> ready;     ///< from there to ready, after a boot
};

struct Guest {
    std::string uri = "qemu:///system";
    Uuid uuid;
    std::string name;
    GuestState state = GuestState::running;
    bool persistent = true;
    bool autostart = false;
    bool managed_save = false;
    bool agent = false;   ///< has a guest agent that answers
    bool resume = false;  ///< is on the resume list
    Bytes memory{};       ///< 0 = unknown
    std::string metadata;
    Pace pace;
};

/// Guests that are planned without the metadata that they may have.
struct Untold {
    std::vector<std::string> guests;  ///< names
    std::string why;
};

struct Fleet {
    std::vector<Guest> guests;
    std::vector<Untold> untold;
    std::map<std::string, Bytes> rates;  ///< of each URI's disk, per second, for saves and restores
};

/// The simulator numbers its guests with sixteen bits.
inline constexpr std::size_t kMostGuests = 60'000;

}  // namespace guestd::plan
