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
#include <vector>

#include "libvirt/handles.hpp"
#include "libvirt/rounds.hpp"

namespace guestd::libvirt {

/// How long a guest was kept from running, by what each of its vCPUs has waited for a processor: of
/// any two readings, the vCPU that waited most between them.
class ProcessorWait {
public:
    /// What each has waited since the guest was started.
    void add(std::vector<Duration> waits);
    /// Since the first reading.
    Duration total() const { return total_; }

private:
    std::vector<Duration> last_;
    Duration total_{};
};

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

    struct Watched {
        Uuid uuid;
        ProcessorWait wait;
    };
    std::map<WatchId, Watched> watched_;
};

/// Pure. Empty when there are no figures now: the guest is off, or in a job.
struct BlockBytes {
    bool known = true;  ///< false: the driver has no such figures
    std::optional<Bytes> total;
};
BlockBytes block_bytes(const virDomainStatsRecord& record);

/// Pure. Of each vCPU; zero where the driver does not tell. libvirt reads it in
/// /proc/PID/task/TID/schedstat.
std::vector<Duration> processor_waits(const virDomainStatsRecord& record);

}  // namespace guestd::libvirt
