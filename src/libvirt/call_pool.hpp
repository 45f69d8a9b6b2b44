// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The workers of one kind of calls on one URI.
///
/// Each worker has a thread and a connection of its own and one call at a time, so that libvirtd's
/// limit of requests per connection is never met. Workers come with the work, or a little before
/// it, at most `workers` of them, and end when idle. What exceeds them waits in order.
///
/// An abandoned call cannot be stopped: its worker is given up as it is, tells nobody, and ends
/// whenever libvirt lets go of it. It is replaced, but libvirtd may still be busy for it, and has
/// few workers itself: those at work and those given up are never more than `workers` + `stuck`.

#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>

#include "libvirt/call_runner.hpp"
#include "libvirt/context.hpp"

namespace guestd::libvirt {

class CallPool : public std::enable_shared_from_this<CallPool> {
public:
    struct Limits {
        unsigned workers = 1;
        unsigned stuck = 0;  ///< threads that may hang in libvirt beyond `workers`
        /// Of all pools that have such a limit together.
        std::optional<unsigned> ordinary = {};
        /// One worker is to be had also when that is reached.
        bool always_one = true;
        /// A call older than this does not count against `workers`; empty = all count.
        std::optional<Duration> slow_after;
    };

    CallPool(std::shared_ptr<UriContext> context, const char* name, Limits limits);

    /// Does not block. Exactly one CallReturned follows, unless the call is abandoned.
    void submit(const Call& call);
    /// So many calls are about to come: workers for them connect already. Does not block.
    void expect(std::size_t calls);
    /// Does not block. False when the call is not (or no longer) here.
    bool abandon(CallId id);
    /// The URI is lost: what has not reached libvirt returns as unknown now. The rest returns when
    /// its own connection breaks.
    void fail_unreached(const std::string& reason);
    /// Takes on workers for what waits behind slow calls. True while anything waits.
    bool relieve();
    /// No call is begun any more; idle workers end.
    void stop();

    struct Counts {
        unsigned workers = 0;
        unsigned waiting = 0;
        unsigned given_up = 0;
    };
    Counts counts() const;

private:
    struct Worker {
        explicit Worker(std::string uri) : connection(std::move(uri)) {}
        Connection connection;  ///< of the worker's thread alone
        std::optional<Call> call;
        std::chrono::steady_clock::time_point since{};
        bool connects = false;  ///< before there is a call
        bool reached = false;   ///< its call may have been asked for
        bool given_up = false;
    };
    using WorkerPtr = std::shared_ptr<Worker>;

    void work(const WorkerPtr& worker);
    void connect_first(const WorkerPtr& worker);
    bool take(const WorkerPtr& worker, Call& call);
    void run(const WorkerPtr& worker, const Call& call);
    bool finish(const WorkerPtr& worker);
    /// The call's guest is found: from here on it may be changed. False when it must not be.
    bool reach(const WorkerPtr& worker);
    bool is_wanted(const WorkerPtr& worker) const;
    void hire();
    /// False when there can be no more.
    bool hire_one(bool connects);
    bool may_hire() const;
    bool take_place();
    void free_place();
    void fail_call(const Call& call, const std::string& reason);
    void fail_waiting(const std::string& reason);

    const std::shared_ptr<UriContext> context_;
    const char* const name_;
    const Limits limits_;

    mutable std::mutex mutex_;
    std::condition_variable work_;
    std::deque<Call> queue_;
    std::list<WorkerPtr> workers_;
    unsigned idle_ = 0;
    unsigned given_up_ = 0;
    bool stopping_ = false;
};

}  // namespace guestd::libvirt
