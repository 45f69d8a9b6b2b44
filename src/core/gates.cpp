// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/gates.hpp"

#include <algorithm>

namespace guestd::core {
namespace {

std::string describe(const Need& need) {
    const auto kind = [&]() -> const char* {
        switch (need.kind) {
            case NeedKind::mount:
                return "mount:";
            case NeedKind::path:
                return "path:";
            case NeedKind::pool:
                return "pool:";
            case NeedKind::network:
                return "network:";
            case NeedKind::unit:
                return "unit:";
        }
        return "";
    };
    return kind() + need.target;
}

bool is_of_libvirt(const Need& need) {
    return need.kind == NeedKind::pool || need.kind == NeedKind::network;
}

}  // namespace

void Gates::add(Context& ctx, const GuestId& guest, const std::string& name,
                const std::vector<Need>& needs) {
    for (const auto& need : needs) {
        const Key key{is_of_libvirt(need) ? std::optional{guest.uri} : std::nullopt,
                      describe(need)};
        auto known = known_.find(key);
        if (known == known_.end()) {
            const auto id = ctx.watches.open(ctx.out, Watch{.id = 0,
                                                            .guest = guest,
                                                            .name = name,
                                                            .what = need,
                                                            .uri = ctx.uri_text(guest.uri)});
            known = known_.emplace(key, id).first;
            gates_.emplace(id, std::pair{key, Gate{.need = key.second}});
        }
        gates_.at(known->second).second.guests.insert(guest);
        of_guest_[guest].insert(known->second);
    }
}

void Gates::drop(Context& ctx, const GuestId& guest) {
    const auto found = of_guest_.find(guest);
    if (found == of_guest_.end())
        return;
    for (auto id : found->second) {
        const auto gate = gates_.find(id);
        gate->second.second.guests.erase(guest);
        if (!gate->second.second.guests.empty())
            continue;
        known_.erase(gate->second.first);
        gates_.erase(gate);
        ctx.watches.close(ctx.out, id);
    }
    of_guest_.erase(found);
}

std::vector<GuestId> Gates::apply(const WatchChanged& event) {
    const auto found = gates_.find(event.id);
    if (found == gates_.end())
        return {};
    auto& gate = found->second.second;
    gate.known = true;
    gate.holds = event.holds;
    gate.text = event.text;
    return {gate.guests.begin(), gate.guests.end()};
}

bool Gates::known(const GuestId& guest) const {
    const auto found = of_guest_.find(guest);
    return found == of_guest_.end() || std::ranges::all_of(found->second, [&](WatchId id) {
               return gates_.at(id).second.known;
           });
}

std::string Gates::closed(const GuestId& guest) const {
    const auto found = of_guest_.find(guest);
    std::string text;
    if (found == of_guest_.end())
        return text;
    for (const auto id : found->second) {
        const auto& gate = gates_.at(id).second;
        if (gate.holds)
            continue;
        text += (text.empty() ? "" : ", ") + gate.need;
        text += gate.text.empty() ? "" : " (" + gate.text + ")";
    }
    return text;
}

}  // namespace guestd::core
