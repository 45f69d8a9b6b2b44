// SPDX-License-Identifier: LGPL-2.1-or-later
#include "render/style.hpp"

#include <algorithm>
#include <array>

namespace guestd::render {
namespace {

std::string_view code_of(Style style) {
    switch (style) {
        case Style::plain:
            return {};
        case Style::bold:
            return "\x1b[1m";
        case Style::dim:
            return "\x1b[2m";
        case Style::good:
            return "\x1b[32m";
        case Style::warn:
            return "\x1b[33m";
        case Style::bad:
            return "\x1b[1;31m";
        case Style::busy:
            return "\x1b[36m";
    }
    return {};
}

bool any_of(std::string_view word, const auto& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string paint(Style style, std::string_view text, bool colour) {
    const std::string_view code = code_of(style);
    if (!colour || code.empty() || text.empty())
        return std::string{text};
    std::string out{code};
    out += text;
    out += "\x1b[0m";
    return out;
}

Style style_of_state(std::string_view state) {
    if (state == "running")
        return Style::good;
    if (state == "crashed")
        return Style::bad;
    if (state == "shut off" || state == "absent")
        return Style::dim;
    return Style::warn;
}

Style style_of_phase(std::string_view phase) {
    if (phase == "destroy" || phase == "abort")
        return Style::bad;
    if (phase == "waiting" || phase == "held" || phase == "retrying")
        return Style::warn;
    return Style::busy;
}

Style style_of_outcome(std::string_view outcome) {
    constexpr std::array<std::string_view, 4> kBad = {"failed", "left-running", "gone",
                                                      "held-elsewhere"};
    constexpr std::array<std::string_view, 2> kDoubtful = {"destroyed", "skipped"};
    if (any_of(outcome, kBad))
        return Style::bad;
    if (any_of(outcome, kDoubtful))
        return Style::warn;
    return outcome.empty() || outcome == "pending" ? Style::plain : Style::good;
}

}  // namespace guestd::render
