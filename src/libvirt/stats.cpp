// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/stats.hpp"

#include "libvirt/errors.hpp"

namespace guestd::libvirt {

int read_stats(std::vector<virDomainPtr> batch, unsigned stats, StatsRecords& records) {
    // Without NOWAIT one guest with a stuck monitor would block everybody's statistics; a driver
    // that does not know the flag has no such locks.
    for (const unsigned flags : {VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT + 0U, 0U}) {
        const int count = virDomainListGetStats(batch.data(), stats, &records.list, flags);
        if (count >= 0 || !is_unsupported(last_fault())) {
            return count;
        }
    }
    return -1;
}

Bytes kib_of(const virDomainStatsRecord& record, const char* field) {
    unsigned long long kib = 0;
    return virTypedParamsGetULLong(record.params, record.nparams, field, &kib) == 1
               ? Bytes{kib * 1024}
               : Bytes{};
}

}  // namespace guestd::libvirt
