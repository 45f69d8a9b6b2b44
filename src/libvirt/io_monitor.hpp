// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the guests of one URI read from their disks and write to them, for those that want to know
/// when they have settled.
///
/// One call for all of them at each interval, which waits for no guest: one that is in a job, or
/// whose monitor is stuck, is left out of it.

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "libvirt/handles.hpp"
#include "libvirt/rounds.hpp"

namespace guestd::libvirt {

class IoMonitor : public Rounds {
public:
    explicit IoMonitor(const std::shared_ptr<UriContext>& context);

    // Thread-safe; none blocks.
    void watch(WatchId id, const Uuid& uuid);
    void unwatch(WatchId id);

private:
    bool is_idle() const override { return watched_.empty(); }
    void round(Connection& connection) override;
    std::set<Uuid> wanted();
    /// Told once for each: nothing comes of reading it.
    void give_up(const Uuid& uuid);
    void tell(const virDomainStatsRecord& record, TimePoint at);

    std::map<WatchId, Uuid> watched_;
};

/// Pure. Empty when there are no figures now: the guest is off, or in a job.
struct BlockBytes {
    bool known = true;  ///< false: the driver has no such figures
    std::optional<Bytes> total;
};
BlockBytes block_bytes(const virDomainStatsRecord& record);

/// Pure. `waited` of IoMeasured. libvirt reads it in /proc/PID/task/TID/schedstat.
Duration processor_wait(const virDomainStatsRecord& record);

}  // namespace guestd::libvirt
