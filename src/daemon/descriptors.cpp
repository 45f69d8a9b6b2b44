// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/descriptors.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

namespace guestd::daemon {
namespace {

/// Up to 30 connections in a drain (call_pools.cpp), each with a socket and two event descriptors.
/// Seen with 100 URIs of 50 guests: see docs/reliability.md.
constexpr std::size_t kPerUri = 100;
/// The store, the bus, the journal, probes.
constexpr std::size_t kOthers = 100;

}  // namespace

std::vector<std::string> descriptor_warnings(std::size_t uris) {
    rlimit limit{};
    const auto needed = kOthers + uris * kPerUri;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return {};
    return {
        fmt::format("guestd may open {} files, and {} URIs may take {}: set LimitNOFILE={} in a "
                    "drop-in of its unit (systemctl edit guestd)",
                    limit.rlim_cur, uris, needed, needed)};
}

}  // namespace guestd::daemon
