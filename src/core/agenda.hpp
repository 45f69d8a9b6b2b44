// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Which task wants to be looked at when. One time per key; O(log n) to set, O(1) to ask.

#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "guestd/time.hpp"

namespace guestd::core {

template <class Key>
class Agenda {
public:
    void set(const Key& key, TimePoint at) {
        if (at == kNever)
            return clear(key);
        const auto [known, fresh] = times_.try_emplace(key, at);
        if (!fresh) {
            if (known->second == at)
                return;  // most events change nothing about when a task is next looked at
            queue_.erase({known->second, key});
            known->second = at;
        }
        queue_.emplace(at, key);
    }

    void clear(const Key& key) {
        const auto found = times_.find(key);
        if (found == times_.end())
            return;
        queue_.erase({found->second, key});
        times_.erase(found);
    }

    TimePoint next() const { return queue_.empty() ? kNever : queue_.begin()->first; }

    /// Takes out, earliest first, all keys whose time has come.
    std::vector<Key> take_due(TimePoint now) {
        std::vector<Key> due;
        while (!queue_.empty() && queue_.begin()->first <= now) {
            due.push_back(queue_.begin()->second);
            times_.erase(queue_.begin()->second);
            queue_.erase(queue_.begin());
        }
        return due;
    }

private:
    std::unordered_map<Key, TimePoint> times_;
    std::set<std::pair<TimePoint, Key>> queue_;
};

}  // namespace guestd::core
