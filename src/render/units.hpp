// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Durations, sizes and shares in words for people: short, and exact enough to act on.

#include <string>

#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd::render {

/// The two largest units: "350ms", "3.2s", "42s", "1min 3s", "2h 5min", "3d 4h"; "0s" for nothing.
std::string duration(Duration span);

/// Binary units, one decimal below 100: "17 B", "1.5 GiB", "512 MiB".
std::string bytes(Bytes size);

/// "12.3 MiB/s"; "" when there is no time to divide by.
std::string rate(Bytes size, Duration span);

/// "1 guest", "7 guests".
std::string count(std::size_t number, std::string_view noun);

}  // namespace guestd::render
