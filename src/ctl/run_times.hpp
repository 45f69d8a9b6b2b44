// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What a run's spans add up to.

#include <map>
#include <string>
#include <utility>

#include "ctl/decode.hpp"
#include "guestd/time.hpp"

namespace guestd::ctl {

/// URI and UUID.
using GuestKey = std::pair<std::string, std::string>;
GuestKey guest_key(const Json& row);

struct Spent {
    std::map<std::string, Duration> time;  ///< by step
    unsigned starts = 0;
};
std::map<GuestKey, Spent> times_of(const Json& spans);

/// How long at least one save of each URI was under way.
std::map<std::string, Duration> saving_times_of(const Json& spans);

}  // namespace guestd::ctl
