// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/terminal.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace guestd::ctl {
namespace {

/// Where the size of a terminal cannot be read, as everywhere.
constexpr std::size_t kUsualWidth = 80;
constexpr std::size_t kUsualHeight = 24;
/// Narrower than this nothing is readable: the lines may as well wrap.
constexpr std::size_t kLeastWidth = 30;

std::string_view environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::size_t columns_of_environment() {
    const std::string text{environment("COLUMNS")};
    return text.empty() ? 0 : std::strtoul(text.c_str(), nullptr, 10);
}

}  // namespace

Terminal terminal() {
    Terminal out;
    out.asks = isatty(STDIN_FILENO) != 0;
    out.unicode = std::string_view{nl_langinfo(CODESET)} == "UTF-8";
    if (isatty(STDOUT_FILENO) == 0) {
        out.width = columns_of_environment();
    } else {
        winsize size{};
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
            size = {};
        out.width = size.ws_col == 0 ? kUsualWidth : size.ws_col;
        out.height = size.ws_row == 0 ? kUsualHeight : size.ws_row;
        out.live = environment("TERM") != "dumb";
        out.colour = out.live && environment("NO_COLOR").empty();
    }
    if (out.width != 0 && out.width < kLeastWidth)
        out.width = kLeastWidth;
    return out;
}

}  // namespace guestd::ctl
