// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/save_window.hpp"

#include <algorithm>

namespace guestd::core {

void SaveWindow::began(const GuestId& guest, TimePoint now) {
    taken_.emplace_back(guest, now + kKept);
}

void SaveWindow::ended(const GuestId& guest) {
    std::erase_if(taken_, [&](const auto& place) { return place.first == guest; });
}

void SaveWindow::expire(TimePoint now) {
    if (std::erase_if(taken_, [&](const auto& place) { return place.second <= now; }) > 0)
        places_ = std::min(places_ * 2, kMost);
}

}  // namespace guestd::core
