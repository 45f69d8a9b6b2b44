// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/forecast.hpp"

#include <algorithm>
#include <exception>

#include "config/config.hpp"
#include "ctl/plan_fleet.hpp"

namespace guestd::ctl {
namespace {

/// A plan of more guests than this takes longer than somebody at a terminal likes to wait.
constexpr std::size_t kMostGuests = 500;

/// Who is up stays up in a boot run; a plan of a boot would take it down first.
void leave_out_who_is_up(plan::Fleet& fleet) {
    std::erase_if(fleet.guests, [](const auto& guest) { return is_active(guest.state); });
}

}  // namespace

Forecast Forecast::of(Context& context, const Strings& globs, const plan::Request& request) {
    Forecast forecast;
    try {
        auto fleet = ask_fleet(context.client(), globs);
        const auto config = config::Config::load(own_sources(context.user_bus));
        if (request.kind == RunKind::boot)
            leave_out_who_is_up(fleet);
        if (!config || fleet.guests.empty() || fleet.guests.size() > kMostGuests)
            return forecast;
        const auto plan = plan::make_plan(fleet, *config, request);
        for (const auto& way : plan.expected.ways)
            forecast.ends_[{fleet.guests[way.guest].uri, fleet.guests[way.guest].uuid.str()}] =
                way.end();
    } catch (const std::exception&) {
        return {};
    }
    return forecast;
}

void Forecast::done(const std::string& uri, const std::string& uuid) {
    ends_.erase({uri, uuid});
}

std::optional<Duration> Forecast::left(Duration since_start) const {
    Duration last{};
    for (const auto& [guest, end] : ends_)
        last = std::max(last, end);
    return last > since_start ? std::optional{last - since_start} : std::nullopt;
}

}  // namespace guestd::ctl
