// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The clocks of guests that were restored: a guest wakes up with the time at which it was saved.
///
/// Set once the guest's agent answers; tried again for a while, then given up with a word. Nothing
/// waits for it: not the guest's readiness, not the run. A drain ends it.

#include <map>
#include <string>

#include "core/agenda.hpp"
#include "core/context.hpp"

namespace guestd::core {

class Clocks {
public:
    /// The guest has come up from its image. `time`: after it the guest is left as it is.
    void set(Context& ctx, RunId run, const GuestId& guest, const std::string& name, Duration time);
    void handle(Context& ctx, const Event& event);
    void advance(Context& ctx);
    void give_up() { guests_.clear(), agenda_ = {}; }
    TimePoint next_deadline() const { return agenda_.next(); }

private:
    struct Clock {
        RunId run = 0;
        std::string name;
        TimePoint until{};
        CallId call = 0;
        unsigned failures = 0;
        std::string why = "its agent has not connected";
    };

    void attempt(Context& ctx, const GuestId& guest, Clock& clock);
    void tell(Context& ctx, const GuestId& guest, const Clock& clock, std::string text,
              bool warning);

    std::map<GuestId, Clock> guests_;
    Agenda<GuestId> agenda_;
};

}  // namespace guestd::core
