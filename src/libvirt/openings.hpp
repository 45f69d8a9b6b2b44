// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// How many connections are being opened at a time, over all URIs.
///
/// Opening one costs libvirtd and guestd many times what a short call costs. When a hundred URIs
/// have work at once, workers that all open theirs hold each other up, and most would find that
/// the first of their pool has done everything meanwhile.

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>

#include "guestd/time.hpp"

namespace guestd::libvirt {

class Openings : public std::enable_shared_from_this<Openings> {
public:
    /// As many as one URI begins long calls with: a single host is not held up.
    static constexpr std::size_t kAtOnce = 16;
    /// A hundred times what one takes on an idle host. Older ones hang, and keep nobody waiting.
    static constexpr Duration kHung = std::chrono::seconds{1};

    explicit Openings(std::size_t at_once = kAtOnce, Duration hung = kHung)
        : at_once_(at_once), hung_(hung) {}

    /// A connection that is being opened; let go of when it is open, or could not be opened.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept;
        Place& operator=(Place&& other) noexcept;
        ~Place();

    private:
        friend class Openings;
        std::shared_ptr<Openings> of_;
        std::list<std::chrono::steady_clock::time_point>::iterator begun_;
    };

    /// Counts one more. `at_once` does not block; else it blocks until fewer than the limit count,
    /// which takes `hung` at most for each `at_once` that wait before it. Any thread.
    Place enter(bool at_once);

private:
    void leave(std::list<std::chrono::steady_clock::time_point>::iterator begun);

    const std::size_t at_once_;
    const Duration hung_;
    std::mutex mutex_;
    std::condition_variable left_;
    std::list<std::chrono::steady_clock::time_point> begun_;  ///< the oldest first
};

}  // namespace guestd::libvirt
