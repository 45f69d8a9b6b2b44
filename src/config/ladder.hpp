// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Stop ladders: "shutdown:agent 3min", "save", "destroy", "leave", "migrate:URI 10min", or as a
/// table, { step = "save", time = "2min" }. A ladder has at least one step; `leave` and `destroy`
/// end it, for nothing is left to do after them.

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "guestd/policy.hpp"

namespace guestd::config {

/// More steps than this are a mistake: each has seconds at least, and a drain has minutes.
inline constexpr std::size_t kLongestLadder = 16;

/// The error says what is wrong with the text, as the end of a sentence.
tl::expected<Step, std::string> parse_step(std::string_view text);
/// The same from the two halves of the table form; `time` "" = the step's own default.
tl::expected<Step, std::string> parse_step(std::string_view action, std::string_view time);

/// The index of the first step that cannot stand where it stands, and why; an empty ladder is index
/// 0. An empty text: the ladder is sound.
struct LadderFault {
    std::size_t index = 0;
    std::string text;
};
LadderFault check_ladder(const Ladder& ladder);

/// parse_step reads it back. The time is left out where `destroy` has its usual one.
std::string format_step(const Step& step);

}  // namespace guestd::config
