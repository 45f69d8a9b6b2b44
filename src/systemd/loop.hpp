// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The daemon's one loop: sd-event(3) with ownership and C++ callbacks.
///
/// Members are named after the C functions; the man pages tell the details. A source lives as long
/// as its object, which may be destroyed in its own callback, and must not outlive the loop.
/// A callback that throws ends the loop: half-done work in a daemon that guards guests is better
/// left to a restart, which continues from the store. Everything here belongs to the thread that
/// runs the loop.

#include <systemd/sd-event.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "guestd/error.hpp"
#include "guestd/time.hpp"

namespace guestd::systemd {

/// CLOCK_BOOTTIME. Any thread.
TimePoint boot_now();

/// A source of events on the loop; destroying it removes it.
class Source {
public:
    struct State;

    Source() = default;
    explicit Source(std::shared_ptr<State> state) : state_(std::move(state)) {}
    ~Source() { reset(); }
    Source(Source&& other) noexcept = default;
    Source& operator=(Source&& other) noexcept;

    /// At once, also from within its own callback: an fd may be closed right after it.
    void reset();
    explicit operator bool() const { return state_ != nullptr; }

protected:
    sd_event_source* handle() const;

private:
    std::shared_ptr<State> state_;
};

/// A timer that fires once per `arm`.
class TimeSource : public Source {
public:
    using Source::Source;
    /// Fires at `when`, at once if that is past; kNever disarms.
    void arm(TimePoint when);
    void disarm() { arm(kNever); }
};

/// An fd, which stays the caller's.
class IoSource : public Source {
public:
    using Source::Source;
    /// EPOLLIN, EPOLLOUT, …; 0 keeps only EPOLLERR and EPOLLHUP.
    void set_io_events(std::uint32_t events);
};

class Loop {
public:
    /// Told of an exception that left the callback of this source. Must not throw.
    using FaultHandler = std::function<void(const char* source, const char* what)>;

    static Result<std::unique_ptr<Loop>> create();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Returns the code given to `exit`, or a negative errno when the loop, or a callback, failed.
    int run();
    void exit(int code);
    TimePoint now() const { return boot_now(); }
    void on_fault(FaultHandler handler) { *fault_ = std::move(handler); }
    /// For sd_bus_attach_event and the like.
    sd_event* handle() const { return event_.get(); }

    // Each description appears in the loop's debug log and in a fault; it must be a literal.

    /// Level-triggered unless `events` has EPOLLET. `fd` must stay open as long as the source.
    Result<IoSource> add_io(int fd, std::uint32_t events, const char* description,
                            std::function<void(std::uint32_t revents)> callback);
    Result<TimeSource> add_time(TimePoint when, const char* description,
                                std::function<void()> callback);
    /// Blocks the signal in the calling thread: call before any thread is made, so that they
    /// inherit that.
    Result<Source> add_signal(int signal, const char* description, std::function<void()> callback);
    /// Once, in the next turn of the loop.
    Result<Source> add_defer(const char* description, std::function<void()> callback);

    /// Pings the service manager's watchdog from the loop, as often as WATCHDOG_USEC asks, for as
    /// long as the loop turns. Nothing when there is no watchdog.
    Result<void> set_watchdog();

private:
    struct Unref {
        void operator()(sd_event* event) const { sd_event_unref(event); }
    };
    explicit Loop(sd_event* event) : event_(event), fault_(std::make_shared<FaultHandler>()) {}

    std::unique_ptr<sd_event, Unref> event_;
    std::shared_ptr<FaultHandler> fault_;
};

}  // namespace guestd::systemd
