// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_pace.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace guestd::bus {
namespace {

/// The timer need not be exact to better than this.
constexpr std::uint64_t kAccuracyUsec = 10'000;
/// Times as long as the work has taken: to look live is worth a fiftieth of the loop's time at
/// most, however many guests there are. The bus pays three times as much for it as we do.
constexpr std::uint64_t kRest = 49;

std::uint64_t now_of(sd_event* event) {
    std::uint64_t now = 0;
    check(sd_event_now(event, CLOCK_MONOTONIC, &now), "read the clock");
    return now;
}

}  // namespace

Pace::Pace(sd_event* event, std::uint64_t interval_usec, const char* description,
           std::function<void()> work)
    : event_(event), interval_(interval_usec), description_(description), work_(std::move(work)) {}

bool Pace::armed() const {
    int enabled = SD_EVENT_OFF;
    if (timer_)
        check(sd_event_source_get_enabled(timer_.get(), &enabled), "read a timer");
    return enabled != SD_EVENT_OFF;
}

void Pace::arm(std::uint64_t at) {
    if (timer_) {
        check(sd_event_source_set_time(timer_.get(), at), "arm a timer");
        check(sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT), "arm a timer");
        return;
    }
    sd_event_source* source = nullptr;
    check(sd_event_add_time(event_, &source, CLOCK_MONOTONIC, at, kAccuracyUsec, on_timer, this),
          "arm a timer");
    sd_event_source_set_description(source, description_);
    timer_.reset(source);
}

void Pace::do_work(std::uint64_t now) {
    const auto begun = std::chrono::steady_clock::now();
    try {
        work_();
    } catch (...) {
        // The next change tries again.
    }
    const std::chrono::duration<std::uint64_t, std::micro> took =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                              begun);
    next_ = now + std::max(interval_, kRest * took.count());
}

void Pace::changed() {
    if (armed())
        return;
    arm(std::max(next_, now_of(event_) + interval_));
}

int Pace::on_timer(sd_event_source*, std::uint64_t, void* userdata) noexcept {
    auto& self = *static_cast<Pace*>(userdata);
    try {
        self.do_work(now_of(self.event_));
    } catch (...) {
        // As above.
    }
    return 0;
}

}  // namespace guestd::bus
