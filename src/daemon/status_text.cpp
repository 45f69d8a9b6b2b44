// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "render/units.hpp"

namespace guestd::daemon {
namespace {

/// Of the line that systemd shows of a job that takes long, and cuts in the middle, these are left
/// on 80 columns: names come last, and say little.
constexpr std::size_t kTail = 34;

std::string guests_at_work(const Machine& machine) {
    const auto left = guests_left(machine);
    std::string names;
    std::size_t named = 0;
    for (const auto& guest : left) {
        auto text = guest.name + " " + guest.phase;
        if (guest.total.count > 0 && guest.phase == "save")
            text += fmt::format(" {}%", 100 * guest.done.count / guest.total.count);
        if (named > 0 && names.size() + text.size() > kTail)
            break;
        names.insert(0, names.empty() ? text : text + ", ");
        ++named;
    }
    if (named == 0)
        return {};
    return (named < left.size() ? fmt::format("; {} more, ", left.size() - named) : "; ") + names;
}

std::string idle_text(const Machine& machine) {
    std::size_t guests = 0;
    std::size_t running = 0;
    std::string silent;
    for (const auto& uri : machine.uris()) {
        guests += uri.guests.size();
        running += static_cast<std::size_t>(std::ranges::count_if(
            uri.guests, [](const auto* guest) { return is_active(guest->state); }));
        if (!uri.listed)
            silent += "; " + uri.uri + " does not answer: " + uri.reason;
    }
    return fmt::format("watching {} guests, {} running{}", guests, running, silent);
}

}  // namespace

std::vector<GuestProgress> guests_left(const Machine& machine) {
    auto guests = machine.progress();
    std::erase_if(guests, [](const auto& guest) { return guest.outcome != Outcome::pending; });
    std::ranges::stable_sort(guests, {}, [](const auto& guest) {
        return std::pair{guest.phase == "waiting", guest.since};
    });
    return guests;
}

std::string status_text(const Machine& machine, const std::string& degraded, TimePoint now) {
    std::string text = degraded.empty() ? "" : "DEGRADED, " + degraded + "; ";
    const auto run = machine.active_run();
    if (!run)
        return text + idle_text(machine);
    text += fmt::format("{} run {}: {} of {} guests done", to_string(run->run.kind), run->run.id,
                        run->finished, run->total);
    for (const auto& uri : run->waiting_for)
        text += "; waiting for " + uri;
    if (run->run.deadline != kNever && run->run.deadline > now)
        text += fmt::format(", {} left", render::duration(run->run.deadline - now));
    return text + guests_at_work(machine);
}

}  // namespace guestd::daemon
