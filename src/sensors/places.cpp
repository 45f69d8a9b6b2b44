// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/places.hpp"

#include <algorithm>
#include <stdexcept>

namespace guestd::sensors {

Places::Places(systemd::Loop& loop, unsigned most) : loop_(loop), free_(most) {
    auto wake = loop.add_time(kNever, "places", [this] { grant(); });
    if (!wake)
        throw std::runtime_error{wake.error().message()};
    wake_ = std::move(*wake);
}

Places::Place Places::ask(std::function<void()> granted) {
    queue_.push_back({next_, std::move(granted)});
    wake_.arm(loop_.now());
    return Place{this, next_++};
}

void Places::leave(std::uint64_t id) {
    const auto waiting = std::ranges::find(queue_, id, &Waiting::id);
    if (waiting != queue_.end()) {
        queue_.erase(waiting);
        return;
    }
    ++free_;
    if (!queue_.empty())
        wake_.arm(loop_.now());
}

void Places::grant() {
    while (free_ > 0 && !queue_.empty()) {
        // Out of the queue first: it may give its place back, or ask for another, at once.
        const auto granted = std::move(queue_.front().granted);
        queue_.pop_front();
        --free_;
        granted();
    }
}

}  // namespace guestd::sensors
