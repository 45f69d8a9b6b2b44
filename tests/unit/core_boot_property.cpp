// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 4 and the promise "every guest that ran before runs again" as properties.
#include <map>
#include <set>

#include "core_random.hpp"

namespace guestd::testing {
namespace {

/// Longer than all back-offs, locks and time-outs of a random fleet one after the other.
constexpr Duration kLongEnough = 12h;
/// What the simulator says of a guest's disks before anybody has written to them.
constexpr const char* kFirstDisks = "disk 1\nimage 0";
/// Trouble is over by then.
constexpr TimePoint kCalm{20min};

class RandomBoot {
public:
    explicit RandomBoot(bool faulty_events)
        : host(random_uri(faulty_events)), count(number(1, 6)), true_events(!faulty_events) {
        for (unsigned i = 0; i < count; ++i) {
            const auto name = "g" + std::to_string(i);
            auto model = chance(10) ? random_running_guest() : random_stopped_guest();
            model.persistent = true;
            const auto id = host.add(name, model);
            guests.push_back(id);
            was_up.push_back(is_active(model.state));
            if (chance(60))
                host.list(id, ResumeEntry{.expect_restore = model.managed_save,
                                          .disk_identity = chance(50) ? kFirstDisks : ""});
            identified.push_back(host.on_list(id) && !host.entry(id)->disk_identity.empty());
            was_listed.push_back(host.on_list(id));
            random_start_policy(host.policy->of(name));
        }
        random_order(*host.policy, count);
        host.policy->uris.max_parallel = number(0, 3);
        host.policy->uris.start_delay = one_of<Duration>({0s, 0s, 4s});
        host.store.latency = one_of<Duration>({1ms, 900ms});
        random_surroundings(host);
    }
    void run_to_end() {
        hold(host, host.driver().run_to_end(host.now() + kLongEnough), "the run does not end");
        hold(host, !host.driver().livelock(), "livelock");
        host.run_for(host.store.latency + 1s);
    }
    const StartPolicy& policy(std::size_t i) {
        return host.policy->of("g" + std::to_string(i)).start;
    }
    bool in_run(std::size_t i) { return host.outcome(guests[i]) != Outcome::pending; }

    Host host;
    unsigned count;
    bool true_events;
    std::vector<GuestId> guests;
    std::vector<bool> was_up;
    std::vector<bool> was_listed;
    std::vector<bool> identified;  ///< the list says what its disks were
};

/// Nobody else touched them: a guest that was listed is up, or is listed still, or policy says so.
void check_nothing_lost(RandomBoot& boot) {
    for (std::size_t i = 0; i < boot.guests.size(); ++i) {
        const auto& guest = boot.guests[i];
        const bool by_policy =
            boot.policy(i).policy == StartChoice::never || !boot.policy(i).resume;
        hold(boot.host,
             !boot.was_listed[i] || boot.host.up(guest) || boot.host.on_list(guest) || by_policy,
             "lost");
        // A start of unknown result that comes up after its run is known by its event only.
        const bool known = boot.host.outcome(guest) != Outcome::failed || boot.true_events;
        hold(boot.host, !(known && boot.host.up(guest) && boot.host.on_list(guest)),
             "runs, and is still listed");
    }
}

void check_each_once(RandomBoot& boot) {
    for (std::size_t i = 0; i < boot.guests.size(); ++i) {
        const auto& truth = boot.host.truth(boot.guests[i]);
        hold(boot.host, truth.boots + truth.restores <= (boot.was_up[i] ? 0U : 1U),
             "started twice");
        const auto& model = boot.host.world.model(boot.guests[i]);
        const auto& policy = boot.policy(i);
        const bool may_drop =
            policy.restore_failure == RestoreFailure::cold_boot ||
            (policy.pending_config == PendingConfig::cold_boot && !model.image_differences.empty());
        hold(boot.host,
             !(model.managed_save && model.image_breaks && !model.image_partial && !may_drop &&
               truth.boots > 0),
             "cold-booted in spite of its image");
        hold(boot.host, !(boot.identified[i] && model.disk_version > 1 && truth.restores > 0),
             "restored over other disks");
    }
}

/// A guest begins after each of its needs has come to its end; not at all when a required one
/// failed.
void check_order(RandomBoot& boot) {
    const auto over = ends(boot.host.driver().transcript());
    for (std::size_t i = 0; i < boot.guests.size(); ++i) {
        const auto& asked = boot.host.truth(boot.guests[i]).asked;
        if (asked.empty())
            continue;
        const auto& policy = boot.host.policy->of("g" + std::to_string(i));
        const auto check = [&](const std::string& need, bool hard) {
            const auto index = std::stoul(need.substr(1));
            if (!boot.in_run(index))
                return;
            hold(boot.host, over.at(boot.guests[index]) <= asked.front().at, "too early");
            hold(boot.host, !hard || boot.host.outcome(boot.guests[index]) != Outcome::failed,
                 "started without what it requires");
        };
        for (const auto& need : policy.after)
            check(need, false);
        for (const auto& need : policy.requires_)
            check(need, true);
    }
}

/// Not a start call while something is missing that the guest needs.
void check_gates(RandomBoot& boot) {
    std::map<WatchId, Need> watched;
    std::map<std::string, bool> there;
    const auto text = [](const Need& need) { return need.target; };
    for (const auto& entry : boot.host.driver().transcript()) {
        const auto* command = std::get_if<Command>(&entry.what);
        const auto* event = std::get_if<Event>(&entry.what);
        if (command != nullptr) {
            if (const auto* watch = std::get_if<Watch>(command))
                if (const auto* need = std::get_if<Need>(&watch->what))
                    watched[watch->id] = *need;
            const auto* call = std::get_if<Call>(command);
            if (call == nullptr || call->kind != CallKind::start)
                continue;
            for (std::size_t i = 0; i < boot.guests.size(); ++i)
                for (const auto& need : boot.policy(i).needs)
                    hold(boot.host, boot.guests[i] != call->guest || there[text(need)],
                         "started without what it needs");
        } else if (event != nullptr) {
            if (const auto* changed = std::get_if<WatchChanged>(event))
                if (const auto found = watched.find(changed->id); found != watched.end())
                    there[text(found->second)] = changed->holds;
        }
    }
}

/// Whoever is over watches nothing any more.
void check_watches(RandomBoot& boot) {
    std::set<WatchId> open;
    bool host = false;
    for (const auto& entry : boot.host.driver().transcript()) {
        const auto* command = std::get_if<Command>(&entry.what);
        if (command == nullptr)
            continue;
        if (const auto* watch = std::get_if<Watch>(command))
            open.insert(watch->id);
        if (const auto* unwatch = std::get_if<Unwatch>(command))
            open.erase(unwatch->id);
        if (const auto* measure = std::get_if<WatchHost>(command))
            host = measure->wanted;
    }
    hold(boot.host, open.empty() && !host, "still watched");
}

RC_GTEST_PROP(BootProperty, calm_libvirt, ()) {
    RandomBoot boot{false};
    boot.host.start();
    boot.run_to_end();
    const auto& transcript = boot.host.driver().transcript();
    hold(boot.host, two_calls_at_once(transcript));
    hold(boot.host, too_many_long_calls(transcript));
    hold(boot.host, two_outcomes(transcript));
    if (!boot.host.policy->uris.adaptive_parallel)
        hold(boot.host, too_many_starting(transcript, boot.host.policy->uris.max_parallel));
    hold(boot.host, too_little_delay(transcript, boot.host.policy->uris.start_delay));
    check_nothing_lost(boot);
    check_each_once(boot);
    check_order(boot);
    check_gates(boot);
    check_watches(boot);
}

RC_GTEST_PROP(BootProperty, libvirt_in_trouble_and_guestd_killed, ()) {
    RandomBoot boot{chance(50)};
    boot.host.start();
    if (random_weather(boot.host, boot.host.uri, boot.host.now(), kCalm).for_ever)
        RC_DISCARD("never ends, rightly");
    for (auto kills = number(0, 3); kills > 0; --kills) {
        boot.host.driver().kill_at(boot.host.driver().points() + number(1, 80),
                                   one_of<Duration>({100ms, 10s, 100s}));
        boot.host.run_for(3min);
    }
    boot.host.driver().kill_at(0, {});
    boot.host.run_for(2min);
    boot.run_to_end();
    count_kills(boot.host);
    const auto& transcript = boot.host.driver().transcript();
    hold(boot.host, two_calls_at_once(transcript));
    hold(boot.host, too_many_long_calls(transcript));
    check_nothing_lost(boot);
    check_each_once(boot);
    for (const auto& [key, row] : boot.host.store.guests.at(1))
        hold(boot.host, row.outcome != Outcome::pending, "no outcome");
}

/// Boot, drain, power cut or reboot, again and again, with guestd killed at will: a guest that ran
/// when a drain had written its intent runs in the end, or is on the list, or failed before all
/// eyes.
RC_GTEST_PROP(BootProperty, whole_lives_of_a_host, ()) {
    Host host{random_uri(chance(30))};
    std::vector<GuestId> guests;
    for (unsigned i = 0; i < 5; ++i) {
        auto model = random_running_guest();
        model.persistent = true;
        model.boot_time = 3s;
        const auto name = "g" + std::to_string(i);
        guests.push_back(host.add(name, model));
        random_stop_policy(host.policy->of(name));
    }
    random_order(*host.policy, 5);
    host.policy->uris.deadline = one_of<Duration>({30s, 5min});
    host.booted_before();
    host.start();
    for (auto boots = number(1, 3); boots > 0; --boots) {
        host.driver().kill_at(0, {});
        host.run_for(10s);  // guestd is there, and connected
        host.driver().send(RunRequested{RunKind::drain, Trigger::reboot, {}, {}});
        std::vector<GuestId> owed;
        for (const auto& guest : guests)
            if (host.up(guest) || host.on_list(guest))
                owed.push_back(guest);
        host.run_for(host.store.latency + 5ms);  // the intent
        if (chance(50))
            host.driver().kill_at(host.driver().points() + number(1, 60), 3s);
        host.run_for(one_of<Duration>({0s, 2s, 10s, 6min}));  // power fails, or not
        host.reboot();
        host.driver().start_guestd();
        if (chance(50))
            host.driver().kill_at(host.driver().points() + number(1, 60), 3s);
        host.run_for(one_of<Duration>({1s, 4s, 10min}));
        for (const auto& guest : owed)
            hold(host,
                 host.up(guest) || host.on_list(guest) ||
                     host.truth(guest).state == GuestState::absent,  // evacuated
                 host.world.model(guest).name + " is lost");
    }
    count_kills(host);
}

}  // namespace
}  // namespace guestd::testing
