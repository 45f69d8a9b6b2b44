// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Work that follows changes at a bounded rate, however many there are: an interval after the
/// first, or when the work has cost a fiftieth of the time; never for nothing. Not at once: changes
/// come in crowds, and what a run does next is worth more than to tell of the first.

#include <systemd/sd-event.h>

#include <functional>
#include <memory>

#include "systemd/bus_message.hpp"

namespace guestd::bus {

class Pace {
public:
    /// `event` must outlive the object. `work` may throw; that ends with a note to nobody, as the
    /// next change tries again. `description` must be a literal.
    Pace(sd_event* event, std::uint64_t interval_usec, const char* description,
         std::function<void()> work);
    Pace(const Pace&) = delete;
    Pace& operator=(const Pace&) = delete;

    /// Something has changed. Throws Failure when there is no timer to be had.
    void changed();

private:
    using Source = std::unique_ptr<sd_event_source, Unref<sd_event_source_disable_unref>>;

    bool armed() const;
    void arm(std::uint64_t at);
    void do_work(std::uint64_t now);
    static int on_timer(sd_event_source*, std::uint64_t usec, void* userdata) noexcept;

    sd_event* event_;
    std::uint64_t interval_;
    const char* description_;
    std::function<void()> work_;
    std::uint64_t next_ = 0;  ///< not before; CLOCK_MONOTONIC
    Source timer_;
};

}  // namespace guestd::bus
