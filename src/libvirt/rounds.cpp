// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/rounds.hpp"

namespace guestd::libvirt {

void Rounds::stop() {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_all();
}

void Rounds::mind() {
    if (!running_ && !stopping_ && !is_idle()) {
        running_ = context_->threads->spawn(name_, [self = shared_from_this()] { self->run(); });
    }
    changed_.notify_all();
}

void Rounds::run() {
    Connection connection{context_->uri};
    std::unique_lock lock{mutex_};
    while (!changed_.wait_for(lock, interval_, [this] { return stopping_ || is_idle(); })) {
        lock.unlock();
        round(connection);
        lock.lock();
    }
    running_ = false;
}

}  // namespace guestd::libvirt
