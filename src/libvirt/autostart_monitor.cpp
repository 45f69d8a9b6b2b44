// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/autostart_monitor.hpp"

#include <optional>
#include <unordered_set>
#include <utility>

#include "libvirt/errors.hpp"
#include "libvirt/inventory.hpp"

namespace guestd::libvirt {

namespace {

/// Between two readings that links ask for: a script that flags a thousand guests makes ten a
/// second of them, and nobody who looks at a list notices the wait.
constexpr Duration kPause = std::chrono::milliseconds{100};

using Weak = std::weak_ptr<AutostartMonitor>;

void on_timer(int, void* opaque) noexcept {
    try {
        if (const auto self = static_cast<Weak*>(opaque)->lock()) {
            self->look(false);
        }
    } catch (...) {
        // Out of memory. There is a next time.
    }
}

void free_weak(void* opaque) noexcept {
    delete static_cast<Weak*>(opaque);
}

}  // namespace

bool AutostartMonitor::may_be_flag(std::string_view link) {
    return !link.ends_with(".xml.once");
}

AutostartMonitor::~AutostartMonitor() {
    if (timer_ >= 0) {
        virEventRemoveTimeout(timer_);
    }
}

/// What asks for readings, once.
void AutostartMonitor::begin() {
    if (std::exchange(begun_, true)) {
        return;
    }
    if (!folder_.empty()) {
        watch_ = std::make_unique<FolderWatch>(folder_,
                                               [weak = weak_from_this()](const std::string& name) {
                                                   const auto self = weak.lock();
                                                   if (self && may_be_flag(name)) {
                                                       self->look(false);
                                                   }
                                               });
    }
    const auto interval =
        std::chrono::duration_cast<std::chrono::milliseconds>(context_->autostart_interval);
    auto opaque = std::make_unique<Weak>(weak_from_this());
    timer_ =
        virEventAddTimeout(static_cast<int>(interval.count()), on_timer, opaque.get(), free_weak);
    if (timer_ >= 0) {
        static_cast<void>(opaque.release());
    }
}

void AutostartMonitor::connected(virConnectPtr connection) {
    const std::lock_guard lock{mutex_};
    connection_ = connection;
    begin();
    ask(false);  // nobody has heard of links since before the listing
}

void AutostartMonitor::disconnected() {
    const std::lock_guard lock{mutex_};
    connection_ = nullptr;
    asked_ = false;  // the next listing answers
}

void AutostartMonitor::look(bool asked) {
    const std::lock_guard lock{mutex_};
    ask(asked);
}

void AutostartMonitor::rest() {
    const std::lock_guard lock{mutex_};
    if (watch_) {
        watch_->rest();
    }
}

void AutostartMonitor::ask(bool asked) {
    due_ = true;
    asked_ = asked_ || asked;
    if (!running_ && connection_ != nullptr && !stopping_) {
        running_ = context_->threads->spawn("virt-autostart",
                                            [self = shared_from_this()] { self->run(); });
    }
    changed_.notify_all();
}

void AutostartMonitor::stop() {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_all();
}

void AutostartMonitor::run() {
    std::unique_lock lock{mutex_};
    while (due_ && connection_ != nullptr && !stopping_) {
        due_ = false;
        const bool asked = std::exchange(asked_, false);
        virConnectRef(connection_);
        ConnectPtr connection{connection_};
        lock.unlock();
        if (watch_) {
            watch_->settle();  // first: what changes after the reading is heard
        }
        const auto flagged = members(connection.get(), VIR_CONNECT_LIST_DOMAINS_AUTOSTART);
        lock.lock();
        // Of a connection that is gone nothing is told: the next listing is newer.
        if (connection_ == connection.get() && !is_dead(connection.get())) {
            context_->outlet.autostart_read(flagged, asked);
        }
        lock.unlock();
        connection.reset();
        lock.lock();
        changed_.wait_for(lock, kPause, [this] { return asked_ || stopping_; });
    }
    running_ = false;
}

}  // namespace guestd::libvirt
