// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/openings.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace guestd::libvirt {

Openings::Place::Place(Place&& other) noexcept
    : of_(std::exchange(other.of_, nullptr)), begun_(other.begun_) {}

Openings::Place& Openings::Place::operator=(Place&& other) noexcept {
    std::swap(of_, other.of_);
    std::swap(begun_, other.begun_);
    return *this;
}

Openings::Place::~Place() {
    if (of_)
        of_->leave(begun_);
}

Openings::Place Openings::enter(bool at_once) {
    std::unique_lock lock{mutex_};
    while (!at_once && begun_.size() >= at_once_) {
        // The one whose age decides: so many are younger than it that only its end makes room.
        const auto deciding = *std::prev(begun_.end(), static_cast<std::ptrdiff_t>(at_once_));
        if (deciding + hung_ <= std::chrono::steady_clock::now())
            break;
        left_.wait_until(lock, deciding + hung_);
    }
    Place place;
    place.begun_ = begun_.insert(begun_.end(), std::chrono::steady_clock::now());
    place.of_ = shared_from_this();
    return place;
}

void Openings::leave(std::list<std::chrono::steady_clock::time_point>::iterator begun) {
    const std::lock_guard lock{mutex_};
    begun_.erase(begun);
    left_.notify_one();
}

}  // namespace guestd::libvirt
