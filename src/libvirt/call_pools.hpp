// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The pools of one URI, and which call goes into which.
///
/// They are kept apart so that none can starve another:
/// - *long* calls (start, save, an agent's shutdown) last minutes, and each occupies one of
///   libvirtd's workers;
/// - *asks* (ACPI shutdown, resume, …) are short, but go through QEMU's monitor: when storage
///   hangs, QEMU hangs, and they do not return. libvirtd serves them with its ordinary workers,
///   too, and both kinds together never take all of these;
/// - *agent* calls (setting clocks, looking for addresses) last for seconds each where agents are
///   silent, as they are while guests boot. Nobody waits for them in a drain: they take what the
///   first two leave, and not the last of it;
/// - *aborts* of jobs are served like asks, and must get through while those hang;
/// - *last* calls (destroy, looking) need no monitor, and libvirtd serves them with its priority
///   workers as well: they get through when nothing else does.

#include <memory>

#include "libvirt/call_pool.hpp"

namespace guestd::libvirt {

class CallPools {
public:
    /// A short call older than `slow_after` no longer keeps those behind it from a worker.
    CallPools(const std::shared_ptr<UriContext>& context, unsigned long_calls, Duration slow_after);

    // Thread-safe; none blocks.
    /// True when the call has to wait behind others: relieve() is needed after a while.
    bool submit(const Call& call);
    /// So many guests are about to be asked for something: the connections for it are opened.
    void expect_asks(std::size_t guests);
    void abandon(CallId id);
    void fail_unreached(const std::string& reason);
    /// Takes on workers for what waits behind slow calls. True while anything does.
    bool relieve();
    void stop();
    CallPool::Counts counts() const;

private:
    CallPool& pool_for(CallKind kind);

    std::shared_ptr<CallPool> long_;
    std::shared_ptr<CallPool> ask_;
    std::shared_ptr<CallPool> agent_;
    std::shared_ptr<CallPool> abort_;
    std::shared_ptr<CallPool> last_;
};

}  // namespace guestd::libvirt
