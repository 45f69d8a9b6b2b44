// SPDX-License-Identifier: LGPL-2.1-or-later
#include "render/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "guestd/utf8.hpp"

namespace guestd::render {
namespace {

struct Range {
    char32_t first;
    char32_t last;
};

// From Unicode's EastAsianWidth (W and F) and its combining marks, coarse where blocks are mixed:
// a wrong width costs a ragged table, not more. wcwidth(3) depends on the locale of the process.
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0x4DBF},
    Range{0x4E00, 0xA4CF},   Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},
    Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
    Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF},
    Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD},
};
constexpr std::array kCombining = {
    Range{0x0300, 0x036F}, Range{0x0483, 0x0489}, Range{0x0591, 0x05BD}, Range{0x064B, 0x065F},
    Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x200B, 0x200D}, Range{0x20D0, 0x20FF},
    Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F},
};

bool in(const auto& ranges, char32_t code) {
    return std::any_of(ranges.begin(), ranges.end(), [code](const Range& range) {
        return code >= range.first && code <= range.last;
    });
}

std::size_t width_of(char32_t code) {
    if (in(kCombining, code))
        return 0;
    return in(kWide, code) ? 2 : 1;
}

std::string_view entity_of(char c) {
    switch (c) {
        case '&':
            return "&amp;";
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '"':
            return "&quot;";
        case '\'':
            return "&apos;";
        default:
            return {};
    }
}

/// How many bytes of the text fit into so many columns.
std::size_t length_within(std::string_view text, std::size_t width) {
    std::size_t length = 0;
    for (std::size_t used = 0; length < text.size();) {
        const Utf8Char next = decode_utf8(text.substr(length));
        used += width_of(next.code);
        if (used > width)
            break;
        length += next.length;
    }
    return length;
}

}  // namespace

std::string escape_terminal(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Utf8Char next = decode_utf8(text);
        const auto number = static_cast<unsigned>(next.code);
        if (next.valid && !is_control(next.code))
            out += text.substr(0, next.length);
        else if (number < 0x100)
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", number);
        else
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", number);
        text.remove_prefix(next.length);
    }
    return out;
}

std::string escape_xml(std::string_view text) {
    std::string out;
    for (const char c : escape_terminal(text)) {
        const std::string_view entity = entity_of(c);
        if (entity.empty())
            out += c;
        else
            out += entity;
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const Utf8Char next = decode_utf8(text);
        width += width_of(next.code);
        text.remove_prefix(next.length);
    }
    return width;
}

std::string ellipsize(std::string_view text, std::size_t width) {
    if (display_width(text) <= width)
        return std::string{text};
    if (width == 0)
        return {};
    return std::string{text.substr(0, length_within(text, width - 1))} + "…";
}

std::vector<std::string> wrap(std::string_view text, std::size_t width, std::size_t lines) {
    std::vector<std::string> done;
    while (width > 0 && done.size() + 1 < lines && display_width(text) > width) {
        const std::size_t fits = std::max(length_within(text, width), decode_utf8(text).length);
        if (fits == text.size())
            break;  // one character, wider than the width
        // A blank right behind what fits will do: it is not shown.
        std::size_t end = text.rfind(' ', fits);
        if (end == std::string_view::npos || end == 0)
            end = text.rfind('/', fits - 1) + 1;  // none: npos + 1, which is 0
        if (end == 0)
            end = fits;
        done.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    }
    const bool last = width > 0 && done.size() + 1 == lines;
    done.push_back(last ? ellipsize(text, width) : std::string{text});
    return done;
}

std::string hanging(std::string_view head, std::size_t head_width, std::string_view text,
                    std::size_t width) {
    std::string out{head};
    const std::string blanks(head_width, ' ');
    const std::size_t room = width > head_width ? width - head_width : 0;
    bool first = true;
    for (const auto& line : wrap(text, room)) {
        out += (first ? "" : blanks) + line + '\n';
        first = false;
    }
    return out;
}

std::string pad(std::string_view text, std::size_t width, bool to_the_right) {
    const std::size_t used = display_width(text);
    const std::string blanks(used < width ? width - used : 0, ' ');
    return to_the_right ? blanks + std::string{text} : std::string{text} + blanks;
}

}  // namespace guestd::render
