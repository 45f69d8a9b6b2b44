// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Where a test collects events from other threads, and waits for the one it needs.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "guestd/ports/hypervisor.hpp"

namespace guestd::test {

class EventInbox {
public:
    /// Only reached by a test that fails.
    static constexpr auto kPatience = std::chrono::seconds{20};

    EventSink sink() {
        return [this](Event event) {
            const std::lock_guard lock{mutex_};
            events_.push_back(std::move(event));
            arrived_.notify_all();
        };
    }

    /// Takes the first event of this type that fits, leaving those before it; empty when none
    /// comes in time.
    template <class E>
    std::optional<E> take(std::function<bool(const E&)> fits = [](const E&) { return true; }) {
        std::unique_lock lock{mutex_};
        std::optional<E> found;
        arrived_.wait_for(lock, kPatience, [&] {
            for (auto at = events_.begin(); at != events_.end() && !found; ++at) {
                if (const auto* event = std::get_if<E>(&*at); event != nullptr && fits(*event)) {
                    found = *event;
                    events_.erase(at);
                    return true;
                }
            }
            return false;
        });
        return found;
    }

    /// Whether an event of this type that fits is here now.
    template <class E>
    bool has(std::function<bool(const E&)> fits) {
        const std::lock_guard lock{mutex_};
        return std::any_of(events_.begin(), events_.end(), [&](const Event& each) {
            const auto* event = std::get_if<E>(&each);
            return event != nullptr && fits(*event);
        });
    }

    /// How many events of this type are here now.
    template <class E>
    std::size_t count() {
        const std::lock_guard lock{mutex_};
        std::size_t sum = 0;
        for (const auto& event : events_) {
            sum += std::holds_alternative<E>(event) ? 1 : 0;
        }
        return sum;
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Event> events_;
};

}  // namespace guestd::test
