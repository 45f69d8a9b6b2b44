// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/live.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/show_parts.hpp"
#include "render/style.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

using render::Style;

// Of a bar. A longer one tells no more, a shorter one too little.
constexpr std::size_t kBar = 16;
constexpr std::size_t kLeastBar = 6;
/// Columns that what is told beside a guest's bar gets before the bar grows.
constexpr std::size_t kToldWidth = 36;
/// Names get what they need, but no more than a third of the line: what goes on matters as well.
constexpr std::size_t kNameShare = 3;
/// Longest word of a phase.
constexpr std::size_t kPhaseWidth = 9;
/// Lines of the terminal that stay for what scrolls by.
constexpr std::size_t kKeepFree = 4;

/// How far a guest is: by bytes when it saves, else by its time.
double share_of(const Json& guest) {
    const auto total = number_of(guest, "bytes_total");
    if (text_of(guest, "phase") == "save" && total > 0)
        return static_cast<double>(number_of(guest, "bytes_done")) / static_cast<double>(total);
    const auto since = time_of(guest, "since_usec");
    const auto deadline = time_of(guest, "step_deadline_usec");
    if (!since || !deadline || *deadline <= *since)
        return 0;
    return static_cast<double>((now() - *since).count()) /
           static_cast<double>((*deadline - *since).count());
}

/// "12s of 5min", and for a save how much is written and how long it will take.
std::string figures_of(const Json& guest) {
    const auto since = time_of(guest, "since_usec");
    if (!since)
        return {};
    const Duration elapsed = now() - *since;
    std::string text = render::duration(elapsed);
    if (const auto deadline = time_of(guest, "step_deadline_usec"))
        text += " of " + render::duration(*deadline - *since);
    const auto done = number_of(guest, "bytes_done");
    const auto total = number_of(guest, "bytes_total");
    if (text_of(guest, "phase") == "save" && done > 0 && total >= done) {
        const double left = static_cast<double>(elapsed.count()) *
                            static_cast<double>(total - done) / static_cast<double>(done);
        text += ", " + render::rate({done}, elapsed) + ", " +
                render::duration(Duration{static_cast<Duration::rep>(left)}) + " to go";
    }
    return text;
}

const char* mark_of(const std::string& outcome, bool unicode) {
    switch (render::style_of_outcome(outcome)) {
        case Style::bad:
            return unicode ? "✘" : "x";
        case Style::warn:
            return "!";
        case Style::plain:
        case Style::bold:
        case Style::dim:
        case Style::good:
        case Style::busy:
            return unicode ? "✔" : "+";
    }
    return "";
}

}  // namespace

std::string Live::fit(const std::string& line) const {
    return terminal_.width == 0 ? line : render::ellipsize(line, terminal_.width - 1);
}

/// What is expected, and what holds whatever happens.
std::string Live::times_left() const {
    const Json run = progress_.value("run", Json::object());
    const auto begin = time_of(run, "started_usec");
    const auto deadline = time_of(run, "deadline_usec");
    std::string text;
    if (const auto left = begin ? forecast_.left(now() - *begin) : std::nullopt)
        text += fmt::format(", about {} to go", render::duration(*left));
    if (deadline)
        text +=
            fmt::format(", {} at most", render::duration(std::max(*deadline - now(), Duration{})));
    return text;
}

std::string Live::head() const {
    const Json run = progress_.value("run", Json::object());
    const auto guests = number_of(run, "guests");
    const auto done = number_of(run, "done");
    const double share = guests == 0 ? 0 : static_cast<double>(done) / static_cast<double>(guests);
    const std::string before = fmt::format("Run {}  ", run_title(run));
    const auto unclean = number_of(run, "unclean");
    const std::string after =
        fmt::format("  {} of {} done{}{}", done, guests,
                    unclean == 0 ? "" : fmt::format(", {} not clean", unclean), times_left());
    const auto bar = render::bar(share, bar_width(before.size() + after.size()), terminal_.unicode);
    return fit(render::escape_terminal(before + bar + after));
}

/// What the terminal leaves beside so many columns of text, within reason.
std::size_t Live::bar_width(std::size_t text) const {
    const std::size_t room = terminal_.width > text ? terminal_.width - text - 1 : 0;
    return std::clamp(room, kLeastBar, kBar);
}

// Colour is put on after the line has been cut to the terminal's width.
std::string Live::guest_line(const Json& guest, std::size_t name_width) const {
    const std::string name = render::escape_terminal(text_of(guest, "name"));
    const std::string phase = render::escape_terminal(text_of(guest, "phase"));
    const std::string detail = render::escape_terminal(guest_detail(guest));
    const std::string shown_name = render::pad(render::ellipsize(name, name_width), name_width);
    const std::string shown_phase = render::pad(phase, kPhaseWidth);
    // What tells most comes first: the end of the line is what a narrow terminal cuts off.
    std::string told = figures_of(guest);
    told += (told.empty() || detail.empty() ? "" : ", ") + detail;
    const std::size_t before = name_width + std::max(kPhaseWidth, shown_phase.size()) + 6;
    const std::size_t room = terminal_.width > before + 1 ? terminal_.width - before - 1 : 1;
    const auto bar =
        render::bar(share_of(guest), bar_width(before + kToldWidth), terminal_.unicode);
    return "  " + shown_name + "  " +
           render::paint(render::style_of_phase(phase), shown_phase, terminal_.colour) + "  " +
           render::ellipsize(bar + "  " + told, room);
}

std::vector<std::string> Live::lines() const {
    std::vector<std::string> out{render::paint(Style::bold, head(), terminal_.colour)};
    const Json active = progress_.value("active", Json::array());
    const std::size_t room = terminal_.height > kKeepFree + 2 ? terminal_.height - kKeepFree : 2;
    std::size_t name_width = 0;
    for (const auto& guest : active)
        name_width = std::max(
            name_width, render::display_width(render::escape_terminal(text_of(guest, "name"))));
    if (terminal_.width != 0)
        name_width = std::min(name_width, terminal_.width / kNameShare);
    for (const auto& guest : active) {
        if (out.size() + 1 >= room)
            break;
        out.push_back(guest_line(guest, name_width));
    }
    const auto total = std::max<std::size_t>(number_of(progress_, "active_total"), active.size());
    if (total > out.size() - 1)
        out.push_back(render::paint(
            Style::dim, fmt::format("  and {} more", total + 1 - out.size()), terminal_.colour));
    return out;
}

void Live::progress(const Json& progress) {
    progress_ = progress;
    tick();
}

void Live::tick() {
    if (!terminal_.live || !progress_.is_object())
        return;
    terminal_ = terminal();
    print(block_.show(lines()));
}

void Live::transition(const GuestSignal& signal, Duration since_start) {
    const std::string time = render::pad(render::duration(since_start), 8, true);
    if (!terminal_.live) {
        print(time + "  " + transition_line(signal, false) + "\n");
        return;
    }
    if (signal.what == "done")
        forecast_.done(signal.uri, signal.uuid);
    // What a guest does now is shown by its line of the block; what it came to stays.
    if (signal.what == "done")
        print(block_.above(
            fmt::format("{} {}  {}",
                        render::paint(render::style_of_outcome(signal.outcome),
                                      mark_of(signal.outcome, terminal_.unicode), terminal_.colour),
                        time, transition_line(signal, terminal_.colour))));
}

void Live::end() {
    if (terminal_.live)
        print(block_.clear());
}

}  // namespace guestd::ctl
