// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The picture of a run on the terminal: finished guests scroll by, those being worked on stand
/// below with a bar each. Without a terminal: a line per transition, and nothing else.

#include <map>
#include <string>
#include <vector>

#include "ctl/context.hpp"
#include "ctl/forecast.hpp"
#include "ctl/signals.hpp"
#include "ctl/terminal.hpp"
#include "render/progress.hpp"

namespace guestd::ctl {

class Live {
public:
    explicit Live(Forecast forecast) : terminal_(terminal()), forecast_(std::move(forecast)) {}

    /// `progress` is the dictionary of the signal of that name.
    void progress(const Json& progress);
    void transition(const GuestSignal& signal, Duration since_start);
    /// Time has passed: draws again.
    void tick();
    /// Leaves the terminal as it was, below what has been printed.
    void end();

private:
    std::vector<std::string> lines() const;
    std::string head() const;
    std::string guest_line(const Json& guest, std::size_t name_width) const;
    std::string fit(const std::string& line) const;
    std::string times_left() const;
    std::size_t bar_width(std::size_t text) const;

    Terminal terminal_;
    Forecast forecast_;
    render::LiveBlock block_;
    Json progress_;
};

}  // namespace guestd::ctl
