// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/call_pools.hpp"

namespace guestd::libvirt {
namespace {

/// Enough to overlap the round trips of short calls; libvirtd's prio_workers default to 5.
constexpr unsigned kShortWorkers = 3;

// Threads that may be stuck in libvirt beyond a pool's workers.
/// With 15 workers and these, one of libvirtd's 20 is still left for an abort.
constexpr unsigned kStuckLong = 4;
/// libvirtd's 20 workers serve no more of these than 20, and the saves need some.
constexpr unsigned kStuckAsks = 8;
/// A destroy of a QEMU that hangs takes libvirt 15 s to refuse and 40 s to give up; with a host's
/// storage gone, that is every guest at once.
constexpr unsigned kStuckLast = 16;

enum class Pool { long_calls, asks, last };

Pool pool_of(CallKind kind) {
    switch (kind) {
        case CallKind::start:
        case CallKind::save:
        case CallKind::shutdown_auto:
        case CallKind::shutdown_agent:
        case CallKind::set_time:
        case CallKind::migrate:
            return Pool::long_calls;
        case CallKind::shutdown_acpi:
        case CallKind::resume:
        case CallKind::suspend:
        case CallKind::wake:
        case CallKind::abort_job:
        case CallKind::abort_block:
        case CallKind::inspect:
        case CallKind::remember:
        case CallKind::forget:
            return Pool::asks;
        case CallKind::destroy_graceful:
        case CallKind::destroy_forced:
        case CallKind::probe:
            return Pool::last;
    }
    return Pool::asks;
}

}  // namespace

CallPools::CallPools(const std::shared_ptr<UriContext>& context, unsigned long_calls,
                     Duration slow_after)
    : long_(std::make_shared<CallPool>(
          context, "virt-long",
          CallPool::Limits{.workers = long_calls, .stuck = kStuckLong, .slow_after = {}})),
      ask_(std::make_shared<CallPool>(
          context, "virt-ask",
          CallPool::Limits{
              .workers = kShortWorkers, .stuck = kStuckAsks, .slow_after = slow_after})),
      last_(std::make_shared<CallPool>(
          context, "virt-last",
          CallPool::Limits{
              .workers = kShortWorkers, .stuck = kStuckLast, .slow_after = slow_after})) {}

bool CallPools::submit(const Call& call) {
    switch (pool_of(call.kind)) {
        case Pool::long_calls:
            long_->submit(call);
            return false;
        case Pool::asks:
            ask_->submit(call);
            return ask_->counts().waiting > 0;
        case Pool::last:
            last_->submit(call);
            return last_->counts().waiting > 0;
    }
    return false;
}

void CallPools::abandon(CallId id) {
    for (const auto& pool : {ask_, last_, long_})
        if (pool->abandon(id))
            return;
}

void CallPools::fail_unreached(const std::string& reason) {
    for (const auto& pool : {ask_, last_, long_})
        pool->fail_unreached(reason);
}

bool CallPools::relieve() {
    const bool asks_wait = ask_->relieve();
    const bool last_wait = last_->relieve();
    return asks_wait || last_wait;
}

void CallPools::stop() {
    for (const auto& pool : {ask_, last_, long_})
        pool->stop();
}

CallPool::Counts CallPools::counts() const {
    CallPool::Counts sum;
    for (const auto& pool : {ask_, last_, long_}) {
        const auto counts = pool->counts();
        sum.workers += counts.workers;
        sum.waiting += counts.waiting;
        sum.given_up += counts.given_up;
    }
    return sum;
}

}  // namespace guestd::libvirt
