// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Statistics of many guests at once, of which none waits for a guest that is in a job.

#include <vector>

#include "libvirt/handles.hpp"

namespace guestd::libvirt {

struct StatsRecords {
    virDomainStatsRecordPtr* list = nullptr;

    StatsRecords() = default;
    ~StatsRecords() {
        if (list != nullptr) {
            virDomainStatsRecordListFree(list);
        }
    }
    StatsRecords(const StatsRecords&) = delete;
    StatsRecords& operator=(const StatsRecords&) = delete;
};

/// `batch` ends with a null pointer; `stats` are VIR_DOMAIN_STATS_…. How many records there are, in
/// any order, without what could not be had; -1 and last_fault() where there are none at all.
/// Blocks.
int read_stats(std::vector<virDomainPtr> batch, unsigned stats, StatsRecords& records);

/// Bytes of a field in KiB; zero when it is not there.
Bytes kib_of(const virDomainStatsRecord& record, const char* field);

}  // namespace guestd::libvirt
