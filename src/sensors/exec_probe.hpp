// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The probe "exec:PATH": a program of the host says so, by ending with 0. It is run again until it
/// does, and never twice at the same time.

#include <memory>
#include <optional>
#include <string>

#include "sensors/program.hpp"
#include "sensors/sensor.hpp"

namespace guestd::sensors {

class ExecProbe : public Sensor {
public:
    struct Times {
        Duration run;    ///< until it is killed
        Duration pause;  ///< before it is run again
    };
    /// `path` and all that is told of the guest come from `watch`. `programs`: places, one for each
    /// program that runs.
    ExecProbe(systemd::Loop& loop, Undertaker& undertaker, Places& programs, const Watch& watch,
              Times times, Reporter reporter);

private:
    void on_time();
    void queue();
    void run();
    void ended(const ProgramEnd& end);
    void again(std::string why);

    systemd::Loop& loop_;
    Undertaker& undertaker_;
    Places& programs_;
    ProgramOrder order_;
    Times times_;
    Reporter reporter_;
    bool too_long_ = false;
    Places::Place place_;
    systemd::TimeSource timer_;  ///< patience with the program, or the pause after it
    std::unique_ptr<Program> program_;
};

}  // namespace guestd::sensors
