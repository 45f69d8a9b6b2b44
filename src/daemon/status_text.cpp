// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "render/units.hpp"

namespace guestd::daemon {
namespace {

/// More names than this do not fit a console line; the rest is counted.
constexpr std::size_t kNamedGuests = 3;

std::string guests_at_work(const Machine& machine) {
    std::vector<GuestProgress> left;
    std::size_t more = 0;
    for (auto& guest : machine.progress()) {
        if (guest.outcome != Outcome::pending || guest.phase == "waiting")
            continue;
        if (left.size() < kNamedGuests)
            left.push_back(std::move(guest));
        else
            ++more;
    }
    std::string text;
    for (const auto& guest : left) {
        text += text.empty() ? ": " : ", ";
        text += guest.name + " " + guest.phase;
        if (guest.total.count > 0)
            text += fmt::format(" {} of {}", render::bytes(guest.done), render::bytes(guest.total));
        if (!guest.answer.empty())
            text += " (" + guest.answer + ")";
    }
    if (more > 0)
        text += fmt::format(" and {} more", more);
    return text;
}

std::string idle_text(const Machine& machine) {
    std::size_t guests = 0;
    std::size_t running = 0;
    std::string silent;
    for (const auto& uri : machine.uris()) {
        guests += uri.guests.size();
        running += static_cast<std::size_t>(std::ranges::count_if(
            uri.guests, [](const auto& guest) { return is_active(guest.state); }));
        if (!uri.listed)
            silent += "; " + uri.uri + " does not answer: " + uri.reason;
    }
    return fmt::format("watching {} guests, {} running{}", guests, running, silent);
}

}  // namespace

std::string status_text(const Machine& machine, const std::string& degraded, TimePoint now) {
    std::string text = degraded.empty() ? "" : "DEGRADED, " + degraded + "; ";
    const auto run = machine.active_run();
    if (!run)
        return text + idle_text(machine);
    text += fmt::format("{} run {}: {} of {} guests done", to_string(run->run.kind), run->run.id,
                        run->finished, run->total);
    text += guests_at_work(machine);
    for (const auto& uri : run->waiting_for)
        text += "; waiting for " + uri;
    if (run->run.deadline != kNever && run->run.deadline > now)
        text += fmt::format("; {} left", render::duration(run->run.deadline - now));
    return text;
}

}  // namespace guestd::daemon
