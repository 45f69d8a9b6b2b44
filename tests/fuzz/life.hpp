// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Some of the life of a guestd that begins with this memory, in a world where everything works. A
/// sanitizer judges what it computes.

#include <algorithm>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "guestd/machine.hpp"

namespace guestd::fuzz {

/// libvirt and the disk, as they answer at best.
class World {
public:
    explicit World(const std::vector<ResumeEntry>& list) {
        for (const auto& entry : list)
            if (guests_.size() < kMost)
                guests_.push_back({.uuid = entry.uuid, .name = entry.name});
    }
    Event listed() const { return InventoryListed{.uri = UriId{0}, .guests = guests_}; }
    std::optional<Event> answer(const Command& command, bool up) {
        if (const auto* call = std::get_if<Call>(&command)) {
            CallReturned back{.id = call->id, .guest = call->guest};
            for (auto& guest : guests_)
                if (guest.uuid == call->guest.uuid) {
                    guest.state = up ? GuestState::running : GuestState::shutoff;
                    back.observed = guest;
                }
            return back;
        }
        StoreId id = 0;
        if (const auto* run = std::get_if<StoreRun>(&command))
            id = run->id;
        else if (const auto* end = std::get_if<StoreRunEnd>(&command))
            id = end->id;
        return id == 0 ? std::nullopt : std::optional<Event>{Stored{.id = id}};
    }

private:
    static constexpr std::size_t kMost = 50;
    std::vector<GuestInfo> guests_;
};

/// A guestd that begins with this, and some of its life: it goes on with what was not finished,
/// boots, drains.
inline void live(const Restored& restored, const std::string& boot_id) {
    static const auto kPolicy = config::Config::built_in();
    constexpr auto kUnit = std::chrono::seconds{1};
    TimePoint now{1000 * kUnit};
    const std::string uri =
        restored.resume_list.empty() ? "qemu:///system" : restored.resume_list.front().uri;
    Machine machine{boot_id, {uri}, kPolicy};
    World world{restored.resume_list};
    bool up = true;
    std::vector<Event> events;
    const auto take = [&](const Outbox& commands) {
        for (const auto& command : commands)
            if (auto event = world.answer(command, up))
                events.push_back(std::move(*event));
    };
    take(machine.restore(restored, false, now));
    for (int step = 0; step < 100; ++step) {
        events.push_back(step % 20 == 1 ? world.listed() : TimeElapsed{});
        if (step == 50) {
            up = false;
            events.push_back(RunRequested{.kind = RunKind::drain, .trigger = Trigger::poweroff});
        }
        for (const auto& event : std::exchange(events, {}))
            take(machine.step(event, now));
        static_cast<void>(machine.active_run());
        static_cast<void>(machine.progress());
        const auto next = machine.next_deadline();
        now = next == kNever ? now + kUnit : std::max(now, std::min(next, now + 600 * kUnit));
    }
}

}  // namespace guestd::fuzz
