// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/io_monitor.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "clock/boot_now.hpp"
#include "libvirt/errors.hpp"
#include "libvirt/stats.hpp"

namespace guestd::libvirt {

namespace {

std::optional<std::uint64_t> number(const virDomainStatsRecord& record, const std::string& field) {
    unsigned long long value = 0;
    return virTypedParamsGetULLong(record.params, record.nparams, field.c_str(), &value) == 1
               ? std::optional<std::uint64_t>{value}
               : std::nullopt;
}

}  // namespace

BlockBytes block_bytes(const virDomainStatsRecord& record) {
    unsigned count = 0;
    if (virTypedParamsGetUInt(record.params, record.nparams, "block.count", &count) != 1) {
        return {.known = false, .total = std::nullopt};
    }
    std::uint64_t sum = 0;
    bool any = count == 0;
    for (unsigned i = 0; i < count; ++i) {
        const auto disk = "block." + std::to_string(i);
        const auto read = number(record, disk + ".rd.bytes");
        const auto written = number(record, disk + ".wr.bytes");
        any = any || read || written;
        sum += read.value_or(0) + written.value_or(0);
    }
    return {.total = any ? std::optional{Bytes{sum}} : std::nullopt};
}

std::vector<Duration> processor_waits(const virDomainStatsRecord& record) {
    unsigned count = 0;
    virTypedParamsGetUInt(record.params, record.nparams, "vcpu.maximum", &count);
    std::vector<Duration> waits;
    for (unsigned i = 0; i < count; ++i) {
        const auto field = "vcpu." + std::to_string(i) + ".delay";
        const std::chrono::nanoseconds wait{number(record, field).value_or(0)};
        waits.push_back(std::chrono::duration_cast<Duration>(wait));
    }
    return waits;
}

void ProcessorWait::add(std::vector<Duration> waits) {
    Duration longest{};
    for (std::size_t i = 0; i < std::min(waits.size(), last_.size()); ++i) {
        longest = std::max(longest, waits[i] - last_[i]);
    }
    total_ += longest;
    last_ = std::move(waits);
}

IoMonitor::IoMonitor(const std::shared_ptr<UriContext>& context)
    : Rounds(context, "virt-io", context->io_interval) {}

void IoMonitor::watch(WatchId id, const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    watched_[id] = {uuid, {}};
    mind();
}

void IoMonitor::unwatch(WatchId id) {
    const std::lock_guard lock{mutex_};
    watched_.erase(id);
    mind();
}

std::set<Uuid> IoMonitor::wanted() {
    const std::lock_guard lock{mutex_};
    std::set<Uuid> guests;
    for (const auto& [id, watched] : watched_) {
        guests.insert(watched.uuid);
    }
    return guests;
}

void IoMonitor::round(Connection& connection) {
    const auto handle = connection.open();
    if (!handle) {
        return;
    }
    const auto guests = wanted();
    Domains domains;
    std::vector<virDomainPtr> batch;
    for (const auto& uuid : guests) {
        // Cheap, and served when nothing else is. A handle that were kept would keep the connection
        // as well.
        if (DomainPtr domain{virDomainLookupByUUID(*handle, uuid.raw().data())}) {
            batch.push_back(domain.get());
            domains.push_back(std::move(domain));
        }
    }
    if (batch.empty()) {
        return;
    }
    batch.push_back(nullptr);
    StatsRecords records;
    const int count =
        read_stats(std::move(batch), VIR_DOMAIN_STATS_BLOCK | VIR_DOMAIN_STATS_VCPU, records);
    const auto now = boot_now();
    if (count < 0 && is_unsupported(last_fault())) {
        std::ranges::for_each(guests, [this](const Uuid& uuid) { give_up(uuid); });
    }
    for (int i = 0; i < count; ++i) {
        tell(*records.list[i], now);
    }
}

void IoMonitor::tell(const virDomainStatsRecord& record, TimePoint at) {
    const auto uuid = uuid_of(record.dom);
    const auto bytes = block_bytes(record);
    if (!bytes.known) {
        give_up(uuid);
        return;
    }
    if (!bytes.total) {
        return;
    }
    const auto waits = processor_waits(record);
    const std::lock_guard lock{mutex_};
    for (auto& [id, watched] : watched_) {
        if (watched.uuid == uuid) {
            watched.wait.add(waits);
            context_->outlet.post(IoMeasured{
                .id = id, .total = *bytes.total, .at = at, .waited = watched.wait.total()});
        }
    }
}

void IoMonitor::give_up(const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    std::erase_if(watched_, [&](const auto& each) {
        if (each.second.uuid == uuid) {
            context_->outlet.post(
                IoMeasured{.id = each.first, .measured = false, .at = boot_now()});
        }
        return each.second.uuid == uuid;
    });
}

}  // namespace guestd::libvirt
