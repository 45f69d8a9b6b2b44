// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/jobs.hpp"

#include <libvirt/virterror.h>

#include <algorithm>
#include <utility>

#include "libvirt/handles.hpp"
#include "libvirt/mapping.hpp"
#include "libvirt/observe.hpp"

namespace guestd::libvirt {

namespace {

int read_statistics(virDomainPtr domain, int& type, TypedParameters& stats) {
    return virDomainGetJobStats(domain, &type, stats.params_out(), stats.count_out(), 0);
}

int operation_of(const TypedParameters& stats) {
    return stats.integer(VIR_DOMAIN_JOB_OPERATION, VIR_DOMAIN_JOB_OPERATION_UNKNOWN);
}

/// Empty when the guest has no job of its own now.
tl::expected<std::optional<GuestJob>, Fault> job_statistics(virDomainPtr domain) {
    int type = VIR_DOMAIN_JOB_NONE;
    TypedParameters stats;
    if (read_statistics(domain, type, stats) < 0) {
        return tl::unexpected{last_fault()};
    }
    if (type == VIR_DOMAIN_JOB_NONE) {
        return std::nullopt;
    }
    return job_of(operation_of(stats));
}

/// Read once per start of the guest and change of its devices.
std::vector<std::string> disks_of(UriContext& context, virDomainPtr domain) {
    const auto uuid = uuid_of(domain);
    const auto mark = context.outlet.mark(uuid);
    const auto known = context.outlet.known(uuid);
    if (known && known->disks) {
        return *known->disks;
    }
    auto facts = read_xml(context, domain);
    if (!facts) {
        return {};
    }
    context.outlet.disks_found(uuid, mark, facts->disks);
    return std::move(facts->disks);
}

/// 1 = yes, 0 = no, -1 = last_fault().
int has_block_job(virDomainPtr domain, const std::string& disk) {
    virDomainBlockJobInfo info{};
    return virDomainGetBlockJobInfo(domain, disk.c_str(), &info, 0);
}

}  // namespace

tl::expected<GuestJob, Fault> find_job(UriContext& context, virDomainPtr domain) {
    if (context.has_no_jobs) {
        return GuestJob::none;
    }
    const auto own = job_statistics(domain);
    if (!own && own.error().code == VIR_ERR_NO_SUPPORT) {
        context.has_no_jobs = true;
        return GuestJob::none;
    }
    if (!own) {
        return tl::unexpected{own.error()};
    }
    if (*own) {
        return **own;
    }
    for (const auto& disk : disks_of(context, domain)) {
        // One that cannot be asked (it has just been unplugged) is in nobody's way.
        if (has_block_job(domain, disk) > 0) {
            return GuestJob::block;
        }
    }
    return GuestJob::none;
}

std::optional<Fault> abort_block_jobs(UriContext& context, virDomainPtr domain) {
    std::optional<Fault> fault;
    for (const auto& disk : disks_of(context, domain)) {
        const int found = has_block_job(domain, disk);
        if (found == 0 || (found > 0 && virDomainBlockJobAbort(domain, disk.c_str(), 0) == 0)) {
            continue;
        }
        const auto refusal = last_fault();
        // It may have ended by itself meanwhile.
        if (found < 0 || has_block_job(domain, disk) != 0) {
            fault = refusal;
        }
    }
    return fault;
}

std::optional<SaveProgress> save_progress(virDomainPtr domain) {
    int type = VIR_DOMAIN_JOB_NONE;
    TypedParameters stats;
    if (read_statistics(domain, type, stats) < 0 || type == VIR_DOMAIN_JOB_NONE ||
        operation_of(stats) != VIR_DOMAIN_JOB_OPERATION_SAVE) {
        return std::nullopt;
    }
    // Seen on libvirt 9.0 with QEMU 7.2, 24 GiB of empty memory: `total` is all of it, `remaining`
    // falls from that to zero, and `processed` is what has gone to the image, 13 MB when 5.7 GB
    // were dealt with: a page of zeroes takes nine bytes.
    const Bytes written{stats.number(VIR_DOMAIN_JOB_DATA_PROCESSED)};
    const Bytes total{stats.number(VIR_DOMAIN_JOB_DATA_TOTAL)};
    const auto remaining = stats.find(VIR_DOMAIN_JOB_DATA_REMAINING);
    const Bytes done = remaining ? Bytes{total.count - std::min(*remaining, total.count)} : written;
    return SaveProgress{.done = done, .total = total, .written = written};
}

}  // namespace guestd::libvirt
