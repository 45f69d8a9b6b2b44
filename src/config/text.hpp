// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Small text helpers for parsers and messages. Pure; ASCII, whatever the locale.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guestd::config {

/// Without blanks, tabs and line ends on both sides.
std::string_view trim(std::string_view text);

/// The pieces between separators, each trimmed. "" gives one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);

bool is_digit(char c);

/// In double quotes, with everything that could harm a terminal or a line of log escaped, and cut
/// after 60 characters: for values in messages.
std::string in_quotes(std::string_view text);

/// A TOML basic string of the whole text: for values that are shown to be written again.
std::string toml_string(std::string_view text);

/// The known word nearest to `word`, "" when none is near enough to be a likely slip.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

/// "; did you mean 'x'?" or, when nothing is near, "; known here: a, b, c".
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

/// "a, b or c", each in double quotes.
std::string alternatives(std::span<const std::string_view> words);

}  // namespace guestd::config
