// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sim/driver.hpp"

#include <algorithm>
#include <utility>

namespace guestd::sim {
namespace {

/// TimeElapsed at one instant: a machine that is called when it asked to be needs one or two.
constexpr unsigned kMostAtOnce = 100;

}  // namespace

Driver::Driver(World& world, Store& store, std::shared_ptr<const PolicySource> policy)
    : world_(world), store_(store), policy_(std::move(policy)) {
    store_.answer = [this](const Stored& stored) { world_.tell(stored); };
}

void Driver::start_guestd(bool safe_boot) {
    ++life_;
    note(std::string{"guestd starts"});
    machine_.emplace(boot_id_, world_.uris(), policy_);
    world_.connect_client();
    carry_out(machine_->restore(store_.restored(boot_id_), safe_boot, now()));
}

void Driver::kill_guestd(std::optional<Duration> back) {
    note(std::string{"guestd is killed"});
    machine_.reset();
    store_.forget_queue();
    world_.client_died();
    if (back)
        world_.clock().schedule_in(*back, [this] { start_guestd(); });
}

void Driver::reboot_host() {
    if (machine_)
        kill_guestd();
    note(std::string{"the host reboots"});
    world_.power_cycle();
    boot_id_ = "boot-" + std::to_string(++boots_);
}

void Driver::kill_at(std::size_t point, Duration back) {
    fatal_point_ = point;
    back_after_ = back;
}

bool Driver::dies_here() {
    if (++points_ != fatal_point_)
        return false;
    ++kills_;
    kill_guestd(back_after_);
    return true;
}

void Driver::send(Event event) {
    send_at(now(), std::move(event));
}

void Driver::send_at(TimePoint when, Event event) {
    world_.clock().schedule(when, [this, event = std::move(event)] {
        if (machine_)
            world_.tell(event);
    });
}

void Driver::feed(const Event& event) {
    if (!machine_)
        return;
    note(event);
    carry_out(machine_->step(event, now()));
}

void Driver::carry_out(Outbox out) {
    for (auto& command : out) {
        if (dies_here())
            return;
        note(command);
        watch(command);
        carry_out(std::move(command));
    }
    dies_here();
}

void Driver::carry_out(Command command) {
    std::visit(
        [this](auto& what) {
            using Kind = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<Kind, Call>)
                world_.submit(what);
            else if constexpr (std::is_same_v<Kind, AbandonCall>)
                world_.abandon(what);
            else if constexpr (std::is_same_v<Kind, ListAutostart>)
                world_.list_autostart(what.uri);
            else if constexpr (std::is_same_v<Kind, Watch>)
                world_.watch(what);
            else if constexpr (std::is_same_v<Kind, Unwatch>)
                world_.unwatch(what.id);
            else if constexpr (std::is_same_v<Kind, WatchHost>)
                world_.watch_host(what.wanted);
            else if constexpr (!std::is_same_v<Kind, Notice>)
                store_.write(std::move(what));
        },
        command);
}

bool Driver::run(const std::function<bool()>& done, TimePoint limit) {
    while (!done()) {
        const auto due = machine_ ? std::max(machine_->next_deadline(), now()) : kNever;
        const auto next = std::min(world_.clock().next(), due);
        if (next > limit || next == kNever) {
            if (limit != kNever)
                world_.clock().advance_to(limit);
            return done();
        }
        at_once_ = next > now() ? 0 : at_once_;
        if (world_.clock().next() <= next) {
            world_.clock().run_next();
            for (const auto& event : world_.take_events())
                feed(event);
        } else {
            world_.clock().advance_to(next);
            livelock_ = ++at_once_ > kMostAtOnce;
            if (livelock_)
                return false;
            feed(TimeElapsed{});
        }
    }
    return true;
}

bool Driver::run_to_end(TimePoint limit) {
    return run([this] { return machine_ && !machine_->active_run(); }, limit);
}

}  // namespace guestd::sim
