// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The signals of guestd as values, and a line of text for them.

#include <string>

#include "ctl/decode.hpp"

namespace guestd::ctl {

struct GuestSignal {
    std::uint32_t run = 0;
    std::string uri;
    std::string uuid;
    std::string name;
    std::string what;     ///< a phase, "done", "retrying" or "held"
    std::string outcome;  ///< with "done"
    std::string text;
};

/// Throws nlohmann's exceptions when the arguments are not those of Client::kGuest.
GuestSignal guest_signal(const Json& arguments);

/// "web-1: shutdown", "web-1: done, shut-down (asked 3 times)"; escaped.
std::string transition_line(const GuestSignal& signal, bool colour);

/// "03:06:40" of the wall clock.
std::string wall_clock_now();

}  // namespace guestd::ctl
