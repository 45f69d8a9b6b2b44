// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Virtual time: what is to happen, in order of time and, at one instant, in order of scheduling.
/// Nothing here depends on anything but the order of calls, so a run repeats exactly.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "guestd/time.hpp"

namespace guestd::sim {

class Clockwork {
public:
    using Action = std::function<void()>;

    TimePoint now() const { return now_; }
    /// Not before `now`; kNever = never.
    void schedule(TimePoint at, Action action) {
        if (at == kNever)
            return;
        queue_.push_back({at < now_ ? now_ : at, ++scheduled_, std::move(action)});
        std::push_heap(queue_.begin(), queue_.end());
    }
    void schedule_in(Duration time, Action action) { schedule(now_ + time, std::move(action)); }
    TimePoint next() const { return queue_.empty() ? kNever : queue_.front().at; }
    void run_next() {
        std::pop_heap(queue_.begin(), queue_.end());
        auto item = std::move(queue_.back());
        queue_.pop_back();
        now_ = item.at;
        item.action();
    }
    /// Nothing may be due before `to`.
    void advance_to(TimePoint to) { now_ = to > now_ ? to : now_; }

private:
    struct Item {
        TimePoint at;
        std::uint64_t number;
        Action action;
        bool operator<(const Item& other) const {
            return std::pair{at, number} > std::pair{other.at, other.number};
        }
    };
    TimePoint now_{};
    std::uint64_t scheduled_ = 0;
    std::vector<Item> queue_;  ///< a heap, and not a priority_queue: that one copies its actions
};

/// splitmix64: the same numbers on every platform, unlike the distributions of <random>.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : state_(seed) {}
    std::uint64_t roll() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        return z ^ (z >> 31);
    }
    bool chance(double probability) {
        return probability > 0 && static_cast<double>(roll() >> 11) * 0x1p-53 < probability;
    }

private:
    std::uint64_t state_;
};

}  // namespace guestd::sim
