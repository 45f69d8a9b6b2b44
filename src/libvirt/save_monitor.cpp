// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/save_monitor.hpp"

#include <ctime>

#include "libvirt/jobs.hpp"

namespace guestd::libvirt {

namespace {

/// CLOCK_BOOTTIME, which all times of guestd are on.
TimePoint boot_time() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return TimePoint{std::chrono::seconds{now.tv_sec} +
                     std::chrono::duration_cast<Duration>(std::chrono::nanoseconds{now.tv_nsec})};
}

}  // namespace

void SaveMonitor::watch(const Uuid& uuid) {
    add(uuid, false);
}

void SaveMonitor::adopt(const Uuid& uuid) {
    add(uuid, true);
}

void SaveMonitor::add(const Uuid& uuid, bool adopted) {
    const std::lock_guard lock{mutex_};
    watched_[uuid] = adopted;
    if (!running_ && enabled_ && !stopping_) {
        running_ =
            context_->threads->spawn("virt-progress", [self = shared_from_this()] { self->run(); });
    }
}

void SaveMonitor::unwatch(const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    watched_.erase(uuid);
    changed_.notify_all();
}

void SaveMonitor::enable(bool wanted) {
    const std::lock_guard lock{mutex_};
    enabled_ = wanted;
    changed_.notify_all();
}

void SaveMonitor::stop() {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_all();
}

void SaveMonitor::run() {
    Connection connection{context_->uri};
    std::unique_lock lock{mutex_};
    const auto over = [this] { return stopping_ || !enabled_ || watched_.empty(); };
    while (!changed_.wait_for(lock, context_->progress_interval, over)) {
        const auto watched = watched_;
        lock.unlock();
        for (const auto& [uuid, adopted] : watched) {
            read(connection, uuid, adopted);
        }
        lock.lock();
    }
    running_ = false;
}

void SaveMonitor::read(Connection& connection, const Uuid& uuid, bool adopted) {
    const auto handle = connection.open();
    if (!handle) {
        return;
    }
    const DomainPtr domain{virDomainLookupByUUID(*handle, uuid.raw().data())};
    const auto progress = domain ? save_progress(domain.get()) : std::nullopt;
    const auto taken = boot_time();
    if (progress) {
        context_->space->wrote(uuid, progress->written);
        context_->outlet.post(SaveProgressed{.guest = {context_->id, uuid},
                                             .done = progress->done,
                                             .total = progress->total,
                                             .written = progress->written,
                                             .expected = context_->space->expected(uuid),
                                             .at = taken});
    } else if (adopted) {
        unwatch(uuid);
    }
}

}  // namespace guestd::libvirt
