// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/threads.hpp"

#include <pthread.h>
#include <signal.h>

#include <thread>

namespace guestd::libvirt {

namespace {

/// A new thread inherits the mask of the one that creates it.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

bool ThreadGroup::spawn(const char* name, std::function<void()> body) noexcept {
    try {
        {
            const std::lock_guard lock{mutex_};
            ++count_;
        }
        const SignalsBlocked blocked;
        std::thread{[self = shared_from_this(), name, run = std::move(body)]() mutable noexcept {
            pthread_setname_np(pthread_self(), name);
            try {
                run();
            } catch (...) {
                // Out of memory: whoever waits for this thread's result has a deadline.
            }
            run = nullptr;
            self->gone();
        }}.detach();
        return true;
    } catch (...) {
        gone();
        return false;
    }
}

void ThreadGroup::gone() {
    const std::lock_guard lock{mutex_};
    --count_;
    changed_.notify_all();
}

bool ThreadGroup::wait_gone(Duration limit) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, limit, [this] { return count_ == 0; });
}

unsigned ThreadGroup::count() const {
    const std::lock_guard lock{mutex_};
    return count_;
}

}  // namespace guestd::libvirt
