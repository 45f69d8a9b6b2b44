// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/save_monitor.hpp"

#include "clock/boot_now.hpp"
#include "libvirt/jobs.hpp"

namespace guestd::libvirt {

SaveMonitor::SaveMonitor(const std::shared_ptr<UriContext>& context)
    : Rounds(context, "virt-progress", context->progress_interval) {}

void SaveMonitor::watch(const Uuid& uuid) {
    add(uuid, false);
}

void SaveMonitor::adopt(const Uuid& uuid) {
    add(uuid, true);
}

void SaveMonitor::add(const Uuid& uuid, bool adopted) {
    const std::lock_guard lock{mutex_};
    watched_[uuid] = adopted;
    mind();
}

void SaveMonitor::unwatch(const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    watched_.erase(uuid);
    mind();
}

void SaveMonitor::enable(bool wanted) {
    const std::lock_guard lock{mutex_};
    enabled_ = wanted;
    mind();
}

void SaveMonitor::round(Connection& connection) {
    std::unique_lock lock{mutex_};
    const auto watched = watched_;
    lock.unlock();
    for (const auto& [uuid, adopted] : watched) {
        read(connection, uuid, adopted);
    }
}

void SaveMonitor::read(Connection& connection, const Uuid& uuid, bool adopted) {
    const auto handle = connection.open();
    if (!handle) {
        return;
    }
    const DomainPtr domain{virDomainLookupByUUID(*handle, uuid.raw().data())};
    const auto progress = domain ? save_progress(domain.get()) : std::nullopt;
    const auto taken = boot_now();
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
