// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/run_times.hpp"

#include <algorithm>
#include <vector>

#include "ctl/context.hpp"

namespace guestd::ctl {

GuestKey guest_key(const Json& row) {
    return {text_of(row, "uri"), text_of(row, "uuid")};
}

std::map<GuestKey, Spent> times_of(const Json& spans) {
    std::map<GuestKey, Spent> all;
    for (const auto& span : spans) {
        const auto begin = time_of(span, "begin_usec");
        const auto end = time_of(span, "end_usec");
        if (!begin || !end)
            continue;
        auto& spent = all[guest_key(span)];
        const std::string what = text_of(span, "what");
        spent.time[what] += *end - *begin;
        spent.starts += what == "starting" ? 1 : 0;
    }
    return all;
}

std::map<std::string, Duration> saving_times_of(const Json& spans) {
    std::map<std::string, std::vector<std::pair<TimePoint, TimePoint>>> saves;
    for (const auto& span : spans)
        if (const auto begin = time_of(span, "begin_usec"), end = time_of(span, "end_usec");
            begin && end && text_of(span, "what") == "save")
            saves[text_of(span, "uri")].emplace_back(*begin, *end);
    std::map<std::string, Duration> busy;
    for (auto& [uri, all] : saves) {
        std::ranges::sort(all);
        TimePoint counted{};
        for (const auto& [begin, end] : all) {
            busy[uri] += std::max(end - std::max(begin, counted), Duration::zero());
            counted = std::max(counted, end);
        }
    }
    return busy;
}

}  // namespace guestd::ctl
