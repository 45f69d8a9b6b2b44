// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Threads that may get stuck in libvirt for ever.
///
/// None of them is ever joined: each is detached and owns, through shared pointers, everything that
/// it touches. The group only counts them, so that an orderly end can wait a moment for those that
/// do come back.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "guestd/time.hpp"

namespace guestd::libvirt {

class ThreadGroup : public std::enable_shared_from_this<ThreadGroup> {
public:
    /// Runs `body` on a new thread with every signal blocked (signals belong to the loop's
    /// thread). False when the system gives no more threads. What `body` captured is released
    /// before the thread counts as gone. `name`: at most 15 characters.
    bool spawn(const char* name, std::function<void()> body) noexcept;

    /// Blocks until all threads are gone or `limit` is over; true when they are.
    bool wait_gone(Duration limit);

    unsigned count() const;

private:
    void gone();

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    unsigned count_ = 0;
};

}  // namespace guestd::libvirt
