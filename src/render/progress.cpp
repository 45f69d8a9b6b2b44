// SPDX-License-Identifier: LGPL-2.1-or-later
#include "render/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace guestd::render {
namespace {

constexpr std::string_view kClearToEnd = "\x1b[J";
constexpr std::string_view kClearLine = "\x1b[K";

std::string ascii_bar(double share, std::size_t width) {
    if (width < 2)
        return std::string(width, '#');
    const std::size_t inner = width - 2;
    const auto full = static_cast<std::size_t>(std::floor(share * static_cast<double>(inner)));
    return "[" + std::string(full, '#') + std::string(inner - full, ' ') + "]";
}

}  // namespace

std::string bar(double share, std::size_t width, bool unicode) {
    constexpr std::array<std::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const double part = std::isnan(share) ? 0 : std::clamp(share, 0.0, 1.0);
    if (!unicode)
        return ascii_bar(part, width);
    // Down, never up: a full bar means done.
    const auto eighths =
        static_cast<std::size_t>(std::floor(part * static_cast<double>(width * 8)));
    std::string out;
    for (std::size_t at = 0; at < eighths / 8; ++at)
        out += "█";
    std::size_t used = eighths / 8;
    if (eighths % 8 != 0) {
        out += kEighths[eighths % 8];
        ++used;
    }
    for (; used < width; ++used)
        out += "░";
    return out;
}

std::string LiveBlock::home() const {
    return lines_.empty() ? "" : fmt::format("\x1b[{}A\r", lines_.size());
}

// Lines are overwritten, then what is left of the old ones cleared: clearing first would flicker.
std::string LiveBlock::show(const std::vector<std::string>& lines) {
    std::string out = home();
    for (const auto& line : lines) {
        out += line;
        out += kClearLine;
        out += '\n';
    }
    out += kClearToEnd;
    lines_ = lines;
    return out;
}

std::string LiveBlock::above(std::string_view line) {
    std::string out = home();
    out += line;
    out += kClearLine;
    out += '\n';
    // The new line has taken the block's first place: it is written anew below, not over itself.
    const std::vector<std::string> block = std::exchange(lines_, {});
    return out + show(block);
}

std::string LiveBlock::clear() {
    std::string out = home();
    out += kClearToEnd;
    lines_.clear();
    return out;
}

}  // namespace guestd::render
