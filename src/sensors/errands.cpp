// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/errands.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sensors/fd.hpp"

namespace guestd::sensors {
namespace {

/// Signals belong to the loop's thread; a new thread inherits the mask of its maker.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

/// Outlives the Errands for as long as a thread is stuck.
struct Errands::Box {
    explicit Box(int eventfd) : fd(eventfd) {}

    /// Without the memory for a number there is no going on: noexcept ends the process.
    void post(std::uint64_t id) noexcept {
        const std::lock_guard lock{mutex};
        finished.push_back(id);
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(fd.number(), &one, sizeof one);
    }

    std::vector<std::uint64_t> take() {
        const std::lock_guard lock{mutex};
        std::uint64_t count = 0;
        [[maybe_unused]] const auto drained = ::read(fd.number(), &count, sizeof count);
        return std::exchange(finished, {});
    }

    const Fd fd;
    std::mutex mutex;
    std::vector<std::uint64_t> finished;
};

Errands::Errands(systemd::Loop& loop, unsigned most) : places_(loop, most) {
    box_ = std::make_shared<Box>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    auto source =
        loop.add_io(box_->fd.number(), EPOLLIN, "errands", [this](std::uint32_t) { collect(); });
    if (!source)
        throw std::runtime_error{source.error().message()};
    source_ = std::move(*source);
}

Errands::~Errands() = default;

Errands::Ticket Errands::send_plain(std::function<void()> work, std::function<void()> done) {
    const auto id = next_++;
    Errand& errand = errands_[id];
    errand.work = std::move(work);
    errand.done = std::move(done);
    errand.place = places_.ask([this, id] { begin(id); });
    return Ticket{this, id};
}

void Errands::begin(std::uint64_t id) {
    Errand& errand = errands_.at(id);
    errand.running = true;
    try {
        const SignalsBlocked blocked;
        std::thread{[box = box_, id, work = std::move(errand.work)]() mutable noexcept {
            pthread_setname_np(pthread_self(), "look");
            try {
                work();
            } catch (...) {
                // There is no result; who waits for it is told so.
            }
            work = nullptr;
            box->post(id);
        }}.detach();
    } catch (...) {
        box_->post(id);
    }
}

void Errands::forget(std::uint64_t id) {
    const auto errand = errands_.find(id);
    if (errand == errands_.end())
        return;
    if (errand->second.running)
        errand->second.done = nullptr;
    else
        errands_.erase(errand);
}

void Errands::collect() {
    for (const auto id : box_->take()) {
        const auto node = errands_.extract(id);
        // Called last: it may send the next errand, or forget this one.
        if (!node.empty() && node.mapped().done)
            node.mapped().done();
    }
}

}  // namespace guestd::sensors
