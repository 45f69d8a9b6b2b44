// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/call_pool.hpp"

#include <algorithm>
#include <utility>

namespace guestd::libvirt {

namespace {

/// A guest whose events keep overtaking its readings is reported without one.
constexpr int kReadings = 5;

}  // namespace

CallPool::CallPool(std::shared_ptr<UriContext> context, const char* name, Limits limits)
    : context_(std::move(context)), name_(name), limits_(limits) {}

void CallPool::submit(const Call& call) {
    const std::lock_guard lock{mutex_};
    queue_.push_back(call);
    hire();
    work_.notify_one();
}

void CallPool::expect(std::size_t calls) {
    const std::lock_guard lock{mutex_};
    while (!stopping_ && workers_.size() < calls && hire_one(true)) {
    }
}

bool CallPool::abandon(CallId id) {
    const std::lock_guard lock{mutex_};
    const auto waiting = std::find_if(queue_.begin(), queue_.end(),
                                      [id](const Call& call) { return call.id == id; });
    if (waiting != queue_.end()) {
        queue_.erase(waiting);
        return true;
    }
    const auto worker = std::find_if(workers_.begin(), workers_.end(), [id](const auto& each) {
        return each->call && each->call->id == id;
    });
    if (worker == workers_.end()) {
        return false;
    }
    (*worker)->given_up = true;
    workers_.erase(worker);
    ++given_up_;
    hire();
    return true;
}

void CallPool::fail_unreached(const std::string& reason) {
    const std::lock_guard lock{mutex_};
    fail_waiting(reason);
    std::erase_if(workers_, [&](const WorkerPtr& worker) {
        if (!worker->call || worker->reached) {
            return false;
        }
        fail_call(*worker->call, reason);
        worker->given_up = true;
        ++given_up_;
        return true;
    });
}

bool CallPool::relieve() {
    const std::lock_guard lock{mutex_};
    hire();
    return !queue_.empty() && !stopping_;
}

void CallPool::stop() {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    queue_.clear();
    work_.notify_all();
}

CallPool::Counts CallPool::counts() const {
    const std::lock_guard lock{mutex_};
    return {static_cast<unsigned>(workers_.size()), static_cast<unsigned>(queue_.size()),
            given_up_};
}

bool CallPool::may_hire() const {
    std::size_t slow = 0;
    if (limits_.slow_after) {
        const auto threshold = std::chrono::steady_clock::now() - *limits_.slow_after;
        slow = static_cast<std::size_t>(
            std::count_if(workers_.begin(), workers_.end(), [&](const auto& worker) {
                return (worker->call || worker->connects) && worker->since < threshold;
            }));
    }
    return workers_.size() - slow < limits_.workers &&
           workers_.size() + given_up_ < limits_.workers + limits_.stuck;
}

void CallPool::hire() {
    while (!stopping_ && queue_.size() > idle_ && hire_one(false)) {
    }
}

bool CallPool::hire_one(bool connects) {
    if (!may_hire() || !take_place()) {
        return false;
    }
    const auto worker = std::make_shared<Worker>(context_->uri);
    worker->connects = connects;
    worker->since = std::chrono::steady_clock::now();
    workers_.push_back(worker);
    idle_ += connects ? 0 : 1;
    if (context_->threads->spawn(name_,
                                 [self = shared_from_this(), worker] { self->work(worker); })) {
        return true;
    }
    workers_.pop_back();
    idle_ -= connects ? 0 : 1;
    free_place();
    if (workers_.empty()) {
        fail_waiting("the system gives no more threads");
    }
    return false;
}

bool CallPool::take_place() {
    if (!limits_.ordinary) {
        return true;
    }
    if (context_->ordinary.fetch_add(1) < *limits_.ordinary ||
        (limits_.always_one && workers_.empty())) {
        return true;
    }
    --context_->ordinary;
    return false;
}

void CallPool::free_place() {
    if (limits_.ordinary) {
        --context_->ordinary;
    }
}

void CallPool::fail_call(const Call& call, const std::string& reason) {
    context_->outlet.post(CallReturned{
        .id = call.id, .guest = call.guest, .status = CallStatus::unknown, .message = reason});
}

void CallPool::fail_waiting(const std::string& reason) {
    for (const auto& call : std::exchange(queue_, {})) {
        fail_call(call, reason);
    }
}

/// Not idle meanwhile: a libvirtd that hangs holds it as it would with a call.
void CallPool::connect_first(const WorkerPtr& worker) {
    try {
        static_cast<void>(worker->connection.open());  // the first call tries again, and tells
    } catch (const std::exception&) {
        // no memory: the same
    }
    const std::lock_guard lock{mutex_};
    worker->connects = false;
    ++idle_;
}

void CallPool::work(const WorkerPtr& worker) {
    if (worker->connects) {
        connect_first(worker);
    }
    Call call;
    while (take(worker, call)) {
        try {
            run(worker, call);
        } catch (const std::exception& fault) {
            fail_call(call, fault.what());
        }
        if (!finish(worker)) {
            break;
        }
    }
    // A call to libvirtd, which may hang: outside the lock, and nobody waits for it.
    worker->connection.close();
    free_place();
}

bool CallPool::take(const WorkerPtr& worker, Call& call) {
    std::unique_lock lock{mutex_};
    work_.wait_for(lock, context_->idle_time, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (stopping_ || queue_.empty()) {
        workers_.remove(worker);
        return false;
    }
    call = std::move(queue_.front());
    queue_.pop_front();
    worker->call = call;
    worker->reached = false;
    worker->since = std::chrono::steady_clock::now();
    return true;
}

void CallPool::run(const WorkerPtr& worker, const Call& call) {
    context_->around(call, true);
    auto carried =
        carry_out(*context_, worker->connection, call, [this, &worker] { return reach(worker); });
    context_->around(call, false);
    for (int reading = 0; reading < kReadings && is_wanted(worker); ++reading) {
        if (!carried.result.observed || reading == kReadings - 1) {
            carried.result.observed.reset();
            context_->outlet.post(carried.result);
            return;
        }
        if (context_->outlet.post(carried.result, carried.place, carried.depth)) {
            return;
        }
        read_again(*context_, worker->connection, carried);
    }
}

bool CallPool::reach(const WorkerPtr& worker) {
    const std::lock_guard lock{mutex_};
    worker->reached = true;
    return !worker->given_up && !stopping_;
}

bool CallPool::is_wanted(const WorkerPtr& worker) const {
    const std::lock_guard lock{mutex_};
    return !worker->given_up;
}

bool CallPool::finish(const WorkerPtr& worker) {
    const std::lock_guard lock{mutex_};
    worker->call.reset();
    if (worker->given_up) {
        --given_up_;
        hire();
        return false;
    }
    ++idle_;
    hire();
    return true;
}

}  // namespace guestd::libvirt
