// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Text that came from outside, made fit to be shown.
///
/// Whatever is shown goes through an escape exactly once, as late as possible: tables, progress and
/// SVG escape what they are given, so callers hand them raw text.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace guestd::render {

/// For terminals and logs: control characters and bytes that are not UTF-8 as \xNN, invisible
/// characters that reorder text as \uNNNN. One line of text stays one line.
std::string escape_terminal(std::string_view text);

/// For XML text and attribute values: like escape_terminal, and markup as entities.
std::string escape_xml(std::string_view text);

/// Columns that escaped text takes on a terminal: East Asian wide characters and emoji two,
/// combining ones none.
std::size_t display_width(std::string_view text);

/// Escaped text in at most `width` columns, cut at the end and marked with "…".
std::string ellipsize(std::string_view text, std::size_t width);

/// Escaped text behind a head, which may carry colours and has so many columns; it goes on below
/// itself, and ends with a newline. `width` as for wrap().
std::string hanging(std::string_view head, std::size_t head_width, std::string_view text,
                    std::size_t width);

/// Of a cell or paragraph: enough for any sentence of ours in half a narrow terminal, and what a
/// stranger's megabyte of a name gets.
constexpr std::size_t kLines = 12;

/// Escaped text in lines of at most `width` columns, broken at blanks, else after a slash, else
/// anywhere. One line at least, and at most so many, the last one cut like ellipsize(); a width of
/// 0 is no limit.
std::vector<std::string> wrap(std::string_view text, std::size_t width, std::size_t lines = kLines);

/// Escaped text followed (or preceded) by blanks up to `width` columns.
std::string pad(std::string_view text, std::size_t width, bool to_the_right = false);

}  // namespace guestd::render
