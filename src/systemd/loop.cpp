// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/loop.hpp"

#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <exception>

namespace guestd::systemd {
namespace {

/// sd-event's default of 250 ms would be paid by every step of every guest.
constexpr std::uint64_t kTimerAccuracyUsec = 1000;

tl::unexpected<Error> fault(const char* doing, int code) {
    return fail(ErrorCode::internal, std::string{doing} + ": " + std::strerror(-code));
}

std::uint64_t usec(TimePoint when) {
    if (when == kNever)
        return UINT64_MAX;
    const auto count = when.time_since_epoch().count();
    return count > 0 ? static_cast<std::uint64_t>(count) : 0;
}

}  // namespace

struct Source::State : std::enable_shared_from_this<Source::State> {
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };

    const char* description = "";
    std::function<void(std::uint32_t revents)> callback;
    std::shared_ptr<Loop::FaultHandler> fault;
    std::unique_ptr<sd_event_source, Unref> handle;

    /// Keeps the callback alive while it runs, even if it destroys its own source.
    int dispatch(std::uint32_t revents) noexcept {
        const auto alive = weak_from_this().lock();  // there is no handle without an owner
        try {
            callback(revents);
            return 0;
        } catch (const std::exception& error) {
            report(error.what());
        } catch (...) {
            report("unknown exception");
        }
        // exit_on_failure is set on every source: this ends the loop.
        return -EIO;
    }

    void report(const char* what) noexcept {
        if (*fault)
            (*fault)(description, what);
    }

    /// Finishes what sd_event_add_… has begun; `code` is its result.
    int attach(int code, sd_event_source* source) {
        if (code < 0)
            return code;
        handle.reset(source);
        sd_event_source_set_description(source, description);
        return sd_event_source_set_exit_on_failure(source, 1);
    }
};

namespace {

using State = Source::State;

State& state_of(void* userdata) {
    return *static_cast<State*>(userdata);
}

int on_io(sd_event_source*, int, std::uint32_t revents, void* userdata) noexcept {
    return state_of(userdata).dispatch(revents);
}
int on_time(sd_event_source*, std::uint64_t, void* userdata) noexcept {
    return state_of(userdata).dispatch(0);
}
int on_signal(sd_event_source*, const signalfd_siginfo*, void* userdata) noexcept {
    return state_of(userdata).dispatch(0);
}
int on_defer(sd_event_source*, void* userdata) noexcept {
    return state_of(userdata).dispatch(0);
}

std::function<void(std::uint32_t)> ignoring(std::function<void()> callback) {
    return [callback = std::move(callback)](std::uint32_t) { callback(); };
}

std::shared_ptr<State> new_state(const char* description,
                                 std::function<void(std::uint32_t)> callback,
                                 const std::shared_ptr<Loop::FaultHandler>& fault_handler) {
    auto state = std::make_shared<State>();
    state->description = description;
    state->callback = std::move(callback);
    state->fault = fault_handler;
    return state;
}

}  // namespace

TimePoint boot_now() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return TimePoint{std::chrono::duration_cast<Duration>(std::chrono::seconds{now.tv_sec} +
                                                          std::chrono::nanoseconds{now.tv_nsec})};
}

Source& Source::operator=(Source&& other) noexcept {
    if (this != &other) {
        reset();
        state_ = std::move(other.state_);
    }
    return *this;
}

/// A running callback keeps the state alive, and must not keep the fd in epoll: a child that was
/// forked meanwhile would, after the close, leave an entry there that nobody can take away.
void Source::reset() {
    if (state_)
        state_->handle.reset();
    state_.reset();
}

sd_event_source* Source::handle() const {
    return state_ ? state_->handle.get() : nullptr;
}

void TimeSource::arm(TimePoint when) {
    if (handle() == nullptr)
        return;
    sd_event_source_set_time(handle(), usec(when));
    sd_event_source_set_enabled(handle(), when == kNever ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

void IoSource::set_io_events(std::uint32_t events) {
    if (handle() != nullptr)
        sd_event_source_set_io_events(handle(), events);
}

Result<std::unique_ptr<Loop>> Loop::create() {
    sd_event* event = nullptr;
    if (const int code = sd_event_new(&event); code < 0)
        return fault("making the event loop", code);
    return std::unique_ptr<Loop>{new Loop{event}};
}

int Loop::run() {
    return sd_event_loop(event_.get());
}

void Loop::exit(int code) {
    sd_event_exit(event_.get(), code);
}

Result<IoSource> Loop::add_io(int fd, std::uint32_t events, const char* description,
                              std::function<void(std::uint32_t)> callback) {
    auto state = new_state(description, std::move(callback), fault_);
    sd_event_source* source = nullptr;
    int code = sd_event_add_io(event_.get(), &source, fd, events, on_io, state.get());
    if (code = state->attach(code, source); code < 0)
        return fault(description, code);
    return IoSource{std::move(state)};
}

Result<TimeSource> Loop::add_time(TimePoint when, const char* description,
                                  std::function<void()> callback) {
    auto state = new_state(description, ignoring(std::move(callback)), fault_);
    sd_event_source* source = nullptr;
    int code = sd_event_add_time(event_.get(), &source, CLOCK_BOOTTIME, usec(when),
                                 kTimerAccuracyUsec, on_time, state.get());
    if (code = state->attach(code, source); code < 0)
        return fault(description, code);
    TimeSource timer{std::move(state)};
    timer.arm(when);
    return timer;
}

Result<Source> Loop::add_signal(int signal, const char* description,
                                std::function<void()> callback) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    if (const int code = pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0)
        return fault(description, -code);
    auto state = new_state(description, ignoring(std::move(callback)), fault_);
    sd_event_source* source = nullptr;
    int code = sd_event_add_signal(event_.get(), &source, signal, on_signal, state.get());
    if (code = state->attach(code, source); code < 0)
        return fault(description, code);
    return Source{std::move(state)};
}

Result<Source> Loop::add_defer(const char* description, std::function<void()> callback) {
    auto state = new_state(description, ignoring(std::move(callback)), fault_);
    sd_event_source* source = nullptr;
    int code = sd_event_add_defer(event_.get(), &source, on_defer, state.get());
    if (code = state->attach(code, source); code < 0)
        return fault(description, code);
    return Source{std::move(state)};
}

Result<void> Loop::set_watchdog() {
    if (const int code = sd_event_set_watchdog(event_.get(), 1); code < 0)
        return fault("the service manager's watchdog", code);
    return {};
}

}  // namespace guestd::systemd
