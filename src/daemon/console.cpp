// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/console.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/status_text.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::daemon {
namespace {

/// Three lines of a console of 80 columns: it scrolls, and others write on it too.
constexpr std::size_t kLongest = 240;
/// To the beginning of the line, and clear it: systemd leaves its own without an end.
constexpr std::string_view kFreshLine = "\r\x1b[K";

std::string doing(const GuestProgress& guest) {
    std::string text = guest.name;
    if (guest.phase == "waiting")
        return text + " waits for " + (guest.held_for.empty() ? "its turn" : guest.held_for);
    text += " " + guest.phase;
    if (guest.total.count > 0)
        text += fmt::format(" {} of {}", render::bytes(guest.done), render::bytes(guest.total));
    return guest.answer.empty() ? text : text + " (" + guest.answer + ")";
}

}  // namespace

Console::Console(const char* path)
    : fd_(::open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) {}

Console::~Console() {
    if (fd_ >= 0)
        ::close(fd_);
}

void Console::say(std::string_view text) noexcept {
    if (fd_ < 0)
        return;
    try {
        const auto line = std::string{kFreshLine} +
                          "guestd: " + render::ellipsize(render::escape_terminal(text), kLongest) +
                          "\r\n";
        // A console that takes nothing now is told the next line.
        [[maybe_unused]] const auto written = ::write(fd_, line.data(), line.size());
    } catch (...) {  // no memory for a line that nobody may read
    }
}

std::string console_text(const Machine& machine, TimePoint now) {
    const auto run = machine.active_run();
    if (!run || run->run.kind != RunKind::drain)
        return {};
    std::string text = fmt::format("{} of {} guests are down", run->finished, run->total);
    if (run->run.deadline != kNever)
        text += fmt::format(", {} left",
                            render::duration(std::max(run->run.deadline - now, Duration{})));
    std::string_view before = ": ";
    for (const auto& guest : guests_left(machine)) {
        text += std::string{before} + doing(guest);
        before = ", ";
        if (text.size() > kLongest)
            break;
    }
    for (const auto& uri : run->waiting_for)
        text += "; waiting for " + uri;
    return text;
}

}  // namespace guestd::daemon
