// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/call_pools.hpp"

#include <algorithm>

namespace guestd::libvirt {
namespace {

/// Enough to overlap the round trips of short calls; libvirtd's prio_workers default to 5.
constexpr unsigned kShortWorkers = 3;

/// For a dozen guests that boot at once, of which a few have agents that do not answer.
constexpr unsigned kAgentWorkers = 3;
/// libvirt takes a fifth of a second to end a guest; a host whose time is over has many.
constexpr unsigned kLastWorkers = 8;
/// libvirtd's max_workers is 20 unless configured otherwise: one is left for others, and two for
/// aborts.
constexpr unsigned kOrdinary = 17;
constexpr unsigned kAborts = 2;
/// Asks that get through however many long calls there are.
constexpr unsigned kAsksBesideLong = 2;

// Threads that may be stuck in libvirt beyond a pool's workers.
constexpr unsigned kStuckLong = 4;
/// As many as there may be at all.
constexpr unsigned kStuckAsks = kOrdinary - kShortWorkers;
constexpr unsigned kStuckAgents = 3;
constexpr unsigned kStuckAborts = 2;
/// A destroy of a QEMU that hangs takes libvirt 15 s to refuse and 40 s to give up; with a host's
/// storage gone, that is every guest at once.
constexpr unsigned kStuckLast = 16;

enum class Pool { long_calls, asks, agents, aborts, last };

Pool pool_of(CallKind kind) {
    switch (kind) {
        case CallKind::start:
        case CallKind::save:
        case CallKind::shutdown_auto:
        case CallKind::shutdown_agent:
        case CallKind::migrate:
            return Pool::long_calls;
        case CallKind::shutdown_acpi:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
        case CallKind::inspect:
        case CallKind::inspect_image:
        case CallKind::remember:
        case CallKind::forget:
            return Pool::asks;
        case CallKind::set_time:
        case CallKind::ping_agent:
        case CallKind::find_address:
            return Pool::agents;
        case CallKind::abort_job:
        case CallKind::abort_block:
            return Pool::aborts;
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
        case CallKind::probe:
            return Pool::last;
    }
    return Pool::asks;
}

}  // namespace

CallPools::CallPools(const std::shared_ptr<UriContext>& context, unsigned long_calls,
                     Duration slow_after) {
    // An administrator who tells of more workers has them for asks as well.
    const unsigned ordinary = std::max(kOrdinary, long_calls + kAsksBesideLong);
    const auto make = [&](const char* name, CallPool::Limits limits) {
        return std::make_shared<CallPool>(context, name, limits);
    };
    long_ =
        make("virt-long",
             {.workers = long_calls, .stuck = kStuckLong, .ordinary = ordinary, .slow_after = {}});
    ask_ = make("virt-ask", {.workers = kShortWorkers,
                             .stuck = kStuckAsks,
                             .ordinary = ordinary,
                             .slow_after = slow_after});
    agent_ = make("virt-agent", {.workers = kAgentWorkers,
                                 .stuck = kStuckAgents,
                                 .ordinary = ordinary - 1,
                                 .always_one = false,
                                 .slow_after = slow_after});
    abort_ =
        make("virt-abort", {.workers = kAborts, .stuck = kStuckAborts, .slow_after = slow_after});
    last_ =
        make("virt-last", {.workers = kLastWorkers, .stuck = kStuckLast, .slow_after = slow_after});
}

CallPool& CallPools::pool_for(CallKind kind) {
    switch (pool_of(kind)) {
        case Pool::long_calls:
            return *long_;
        case Pool::asks:
            return *ask_;
        case Pool::agents:
            return *agent_;
        case Pool::aborts:
            return *abort_;
        case Pool::last:
            return *last_;
    }
    return *ask_;
}

bool CallPools::submit(const Call& call) {
    auto& pool = pool_for(call.kind);
    pool.submit(call);
    return pool.counts().waiting > 0;
}

void CallPools::expect_asks(std::size_t guests) {
    ask_->expect(guests);
}

void CallPools::abandon(CallId id) {
    for (const auto& pool : {ask_, abort_, last_, long_, agent_})
        if (pool->abandon(id))
            return;
}

void CallPools::fail_unreached(const std::string& reason) {
    for (const auto& pool : {ask_, abort_, last_, long_, agent_})
        pool->fail_unreached(reason);
}

bool CallPools::relieve() {
    bool waits = false;
    for (const auto& pool : {ask_, abort_, last_, long_, agent_})
        waits = pool->relieve() || waits;
    return waits;
}

void CallPools::stop() {
    for (const auto& pool : {ask_, abort_, last_, long_, agent_})
        pool->stop();
}

CallPool::Counts CallPools::counts() const {
    CallPool::Counts sum;
    for (const auto& pool : {ask_, abort_, last_, long_, agent_}) {
        const auto counts = pool->counts();
        sum.workers += counts.workers;
        sum.waiting += counts.waiting;
        sum.given_up += counts.given_up;
    }
    return sum;
}

}  // namespace guestd::libvirt
