// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/signals.hpp"

#include <chrono>

#include "ctl/context.hpp"
#include "render/style.hpp"
#include "render/text.hpp"

namespace guestd::ctl {

GuestSignal guest_signal(const Json& arguments) {
    const auto text = [&](std::size_t at) { return arguments.at(at).get<std::string>(); };
    return {
        arguments.at(0).get<std::uint32_t>(), text(1), text(2), text(3), text(4), text(5), text(6)};
}

std::string transition_line(const GuestSignal& signal, bool colour) {
    const bool done = signal.what == "done";
    std::string line =
        render::paint(render::Style::bold, render::escape_terminal(signal.name), colour);
    line += ": ";
    const std::string word = render::escape_terminal(done ? signal.outcome : signal.what);
    line += render::paint(
        done ? render::style_of_outcome(signal.outcome) : render::style_of_phase(signal.what), word,
        colour);
    if (!signal.text.empty())
        line += " (" + render::escape_terminal(signal.text) + ")";
    return line;
}

std::string wall_clock_now() {
    const auto time = std::chrono::system_clock::now().time_since_epoch();
    const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    return wall_clock(static_cast<std::uint64_t>(usec)).substr(sizeof "2026-11-21 " - 1);
}

}  // namespace guestd::ctl
