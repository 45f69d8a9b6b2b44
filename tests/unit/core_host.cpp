// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core_host.hpp"

#include <utility>

namespace guestd::testing {

Host::Host(sim::UriModel model, std::uint64_t seed) : world(seed) {
    uri = world.add_uri(std::move(model));
    // Most tests are not about readiness.
    policy->guests.start.ready = {Probe{.kind = ProbeKind::running}};
}

GuestId Host::add(const std::string& name, const GuestModel& model) {
    return add(uri, name, model);
}

GuestId Host::add(UriId on, const std::string& name, GuestModel model) {
    model.name = name;
    return world.add_guest(on, std::move(model));
}

std::string Host::uri_text(const GuestId& guest) const {
    return world.uris().at(static_cast<std::size_t>(guest.uri));
}

void Host::list(const GuestId& guest, ResumeEntry entry) {
    entry.uri = uri_text(guest);
    entry.uuid = guest.uuid;
    if (entry.name.empty())
        entry.name = world.model(guest).name;
    store.entries[{entry.uri, entry.uuid}] = entry;
}

void Host::booted_before() {
    RunRecord done;
    done.id = 1;
    done.trigger = Trigger::host_boot;
    done.state = RunState::finished;
    done.boot_id = "boot-1";
    store.runs[1] = done;
}

sim::Driver& Host::driver() {
    if (!driver_)
        driver_ = std::make_unique<sim::Driver>(world, store, policy);
    return *driver_;
}

void Host::start() {
    driver().start_guestd();
    driver().run(
        [&] {
            if (!driver().alive())
                return false;
            for (const auto& view : driver().machine().uris())
                if (!view.listed)
                    return false;
            return true;
        },
        now() + 10s);
}

void Host::drain(RunRequested request) {
    if (!driver().alive()) {
        if (store.runs.empty())
            booted_before();
        start();
    }
    driver().send(std::move(request));
    driver().run([&] { return driver().machine().active_run().has_value(); }, now());
    finish();
}

void Host::boot() {
    start();
    finish();
}

void Host::finish() {
    do {
        EXPECT_TRUE(driver().run_to_end(now() + kForever)) << transcript();
        run_for(store.latency + 100ms);  // what the store still has to write
    } while (!driver().alive());
}

const RunGuestRecord* Host::row(const GuestId& guest) const {
    for (auto run = store.guests.rbegin(); run != store.guests.rend(); ++run)
        if (const auto found = run->second.find({uri_text(guest), guest.uuid});
            found != run->second.end())
            return &found->second;
    return nullptr;
}

Outcome Host::outcome(const GuestId& guest) const {
    const auto* found = row(guest);
    return found == nullptr ? Outcome::pending : found->outcome;
}

std::string Host::cause(const GuestId& guest) const {
    const auto* found = row(guest);
    return found == nullptr ? "" : found->cause;
}

const ResumeEntry* Host::entry(const GuestId& guest) const {
    const auto found = store.entries.find({uri_text(guest), guest.uuid});
    return found == store.entries.end() ? nullptr : &found->second;
}

Duration Host::took(const GuestId& guest) const {
    const auto* found = row(guest);
    return found == nullptr || !found->ended ? Duration::max() : *found->ended - last_run().started;
}

bool Host::on_list(const GuestId& guest) const {
    return entry(guest) != nullptr;
}

std::vector<CallKind> Host::asked(const GuestId& guest) const {
    std::vector<CallKind> kinds;
    for (const auto& asked : truth(guest).asked)
        kinds.push_back(asked.kind);
    return kinds;
}

Duration Host::asked_at(const GuestId& guest, CallKind kind, std::size_t n) const {
    for (const auto& asked : truth(guest).asked)
        if (asked.kind == kind && n-- == 0)
            return asked.at - last_run().started;
    return Duration::max();
}

std::vector<std::string> Host::notices(NoticeKind kind) const {
    std::vector<std::string> texts;
    for (const auto& [at, notice] : commands<Notice>())
        if (notice.kind == kind)
            texts.push_back(notice.name + ": " + notice.text);
    return texts;
}

}  // namespace guestd::testing
