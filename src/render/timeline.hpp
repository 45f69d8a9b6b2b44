// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A run as a picture: one bar per guest on a common time axis, in the manner of
/// `systemd-analyze plot`.
///
/// Pure: times are offsets from the start of the run, names are raw and escaped here. The picture
/// is plain SVG 1.1 on white ground, without scripts or external fonts, made to be printed too;
/// what there is no room for is a tooltip.

#include <optional>
#include <string>
#include <vector>

#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd::render {

/// A stretch of a guest's way, in the words of SpanRecord::what; unknown words are drawn grey.
struct Stretch {
    std::string what;
    Duration begin{};
    std::optional<Duration> end;  ///< empty: still going on, drawn to the end of the picture
    std::string note;
};

struct TimelineRow {
    std::string group;  ///< URI; a heading is drawn when there is more than one
    std::string name;
    std::vector<Stretch> stretches;
    std::string outcome;    ///< word of Outcome
    std::string cause;      ///< tooltip of the outcome
    Bytes saved{};          ///< 0 = none
    bool critical = false;  ///< one of those that make the run as long as it is: marked
};

struct Timeline {
    std::string title;     ///< "Drain run 12"
    std::string subtitle;  ///< "reboot · 7 guests · 2026-11-21 03:06 · clean"
    Duration length{};     ///< of the run; longer stretches make the picture longer
    std::optional<Duration> deadline;
    std::vector<TimelineRow> rows;
};

std::string timeline_svg(const Timeline& timeline);

}  // namespace guestd::render
