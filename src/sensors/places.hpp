// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A number of places, and a queue of those who wait for one, first come, first served.
/// Loop's thread.

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "systemd/loop.hpp"

namespace guestd::sensors {

class Places {
public:
    /// A place, or a place in the queue; destroying it gives it back. Must not outlive its Places.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept
            : places_(std::exchange(other.places_, nullptr)), id_(other.id_) {}
        Place& operator=(Place&& other) noexcept {
            std::swap(places_, other.places_);
            std::swap(id_, other.id_);
            return *this;
        }
        ~Place() {
            if (places_ != nullptr)
                places_->leave(id_);
        }

    private:
        friend class Places;
        Place(Places* places, std::uint64_t id) : places_(places), id_(id) {}
        Places* places_ = nullptr;
        std::uint64_t id_ = 0;
    };

    Places(systemd::Loop& loop, unsigned most);
    Places(const Places&) = delete;
    Places& operator=(const Places&) = delete;

    /// `granted` is called once from the loop, never from here, and not after the place was given
    /// back.
    [[nodiscard]] Place ask(std::function<void()> granted);

private:
    struct Waiting {
        std::uint64_t id;
        std::function<void()> granted;
    };
    void leave(std::uint64_t id);
    void grant();

    systemd::Loop& loop_;
    unsigned free_;
    std::uint64_t next_ = 1;
    std::deque<Waiting> queue_;
    systemd::TimeSource wake_;
};

}  // namespace guestd::sensors
