// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 5 and 8 as properties: whatever the fleet, the policy and the faults are.
#include "core/ladder.hpp"
#include "core/order.hpp"
#include "core_random.hpp"

namespace guestd::testing {
namespace {

/// What remains of a deadline when libvirt's trouble is over: time enough to connect again and ask.
constexpr Duration kCalmEnd = 12s;

class RandomDrain {
public:
    explicit RandomDrain(bool faulty_events) : RandomDrain(random_uri(faulty_events)) {}
    explicit RandomDrain(const sim::UriModel& model)
        : host(model), count(number(1, 6)), long_calls(model.long_calls), latency(model.latency) {
        for (unsigned i = 0; i < count; ++i) {
            const auto name = "g" + std::to_string(i);
            guests.push_back(host.add(name, random_running_guest()));
            random_stop_policy(host.policy->of(name));
        }
        random_order(*host.policy, count);
        auto& uri = host.policy->uris;
        uri.parallel_shutdown = number(0, 3);
        uri.parallel_save = number(0, 2);
        uri.deadline = one_of<Duration>({30s, 90s, 10min});
        host.store.latency = one_of<Duration>({1ms, 900ms});
        request.trigger = one_of({Trigger::poweroff, Trigger::manual, Trigger::ups});
    }

    /// The drain begins; whoever is to be drained is in `wanted` then.
    void begin() {
        host.booted_before();
        host.start();
        for (const auto& guest : guests)
            if (host.up(guest))
                wanted.push_back(guest);
        host.driver().watch = [this](const Command& command) { on_command(command); };
        host.driver().send(request);
        host.driver().run([&] { return host.driver().machine().active_run().has_value(); },
                          host.now());
        begun = host.now();
        deadline = begun + host.policy->uris.deadline;
    }
    bool run_to_end(TimePoint limit) { return host.driver().run_to_end(limit); }

    std::vector<core::Rung> ladder(const GuestId& guest) {
        const auto& model = host.world.model(guest);
        GuestInfo info{.state = model.state, .persistent = model.persistent};
        return core::effective_ladder(host.policy->of(model.name).stop, info);
    }
    bool left_alone(const GuestId& guest) {
        return ladder(guest).front().kind == core::RungKind::leave;
    }
    /// libvirt may have no place for it until the end: each of its steps is a long call.
    bool crowded_out(const GuestId& guest) {
        const auto rungs = ladder(guest);
        return long_calls < count && std::ranges::all_of(rungs, [](const auto& rung) {
                   return rung.kind == core::RungKind::save ||
                          rung.kind == core::RungKind::migrate || rung.mode == ShutdownMode::agent;
               });
    }
    bool asked_or_down(const GuestId& guest) {
        const auto& truth = host.truth(guest);
        return left_alone(guest) || crowded_out(guest) || truth.down || !truth.asked.empty();
    }

    Host host;
    unsigned count;
    unsigned long_calls;
    Duration latency;
    RunRequested request{RunKind::drain, Trigger::poweroff, {}, {}};
    std::vector<GuestId> guests;
    std::vector<GuestId> wanted;
    TimePoint begun{};
    TimePoint deadline{};
    std::string touched_unlisted;
    bool told = false;  ///< that the disk did not answer in the time there was

private:
    void on_command(const Command& command) {
        if (const auto* notice = std::get_if<Notice>(&command))
            told = told || notice->kind == NoticeKind::intent_not_stored;
        const auto* call = std::get_if<Call>(&command);
        const bool touches =
            call != nullptr && call->kind != CallKind::probe && call->kind != CallKind::start;
        if (touches && !told && host.store.health == sim::Store::Health::good &&
            !host.on_list(call->guest))
            touched_unlisted = host.world.model(call->guest).name;
    }
};

void check_outcomes(RandomDrain& drain) {
    for (const auto& guest : drain.wanted)
        hold(drain.host, drain.host.outcome(guest) != Outcome::pending,
             "drain.host.outcome(guest) != Outcome::pending");
    hold(drain.host, two_outcomes(drain.host.driver().transcript()));
}

/// Guests that never went down are kept as well when the host goes down; in any case those that
/// did.
void check_list(RandomDrain& drain) {
    const bool all = drain.request.trigger != Trigger::manual;
    for (const auto& guest : drain.wanted)
        if ((all || !drain.host.up(guest)) && drain.host.outcome(guest) != Outcome::migrated)
            hold(drain.host, drain.host.on_list(guest), "drain.host.on_list(guest)");
}

void check_order(RandomDrain& drain) {
    std::vector<core::OrderNode> nodes;
    for (const auto& guest : drain.wanted) {
        const auto& name = drain.host.world.model(guest).name;
        const auto& policy = drain.host.policy->of(name);
        nodes.push_back({name, policy.after, policy.requires_, core::tier_weight(policy.tier)});
    }
    const auto order = core::build_order(nodes);
    const auto over = ends(drain.host.driver().transcript());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const auto& asked = drain.host.truth(drain.wanted[i]).asked;
        const auto part =
            (drain.deadline - drain.begun) / (order.depth[i] + order.height[i] + nodes[i].weight);
        const auto slot = drain.begun + part * order.height[i];
        // The model books a call when it arrives.
        if (asked.empty() || asked.front().at >= slot)
            continue;
        for (const auto& edge : order.needed_by[i])
            hold(drain.host, over.at(drain.wanted[edge.to]) <= asked.front().at,
                 "over.at(drain.wanted[edge.to]) <= asked.front().at");
    }
}

/// guestd has asked, though libvirt may not have got round to it.
bool commanded(RandomDrain& drain, const GuestId& guest) {
    return std::ranges::any_of(drain.host.commands<Call>(), [&](const auto& command) {
        return command.second.guest == guest && command.second.kind != CallKind::probe &&
               command.second.kind != CallKind::inspect;
    });
}

RC_GTEST_PROP(DrainProperty, calm_libvirt, ()) {
    RandomDrain drain{false};
    drain.begin();
    hold(drain.host, drain.run_to_end(drain.deadline), "drain.run_to_end(drain.deadline)");
    drain.host.finish();
    const auto& transcript = drain.host.driver().transcript();
    hold(drain.host, !drain.host.driver().livelock(), "!drain.host.driver().livelock()");
    hold(drain.host, drain.touched_unlisted == "", "drain.touched_unlisted == ''");
    hold(drain.host, two_calls_at_once(transcript));
    hold(drain.host, too_many_long_calls(transcript));
    check_outcomes(drain);
    check_list(drain);
    check_order(drain);
    for (const auto& guest : drain.wanted) {
        const auto& truth = drain.host.truth(guest);
        hold(drain.host, drain.asked_or_down(guest), "unasked");
        hold(drain.host,
             truth.asked.empty() || truth.asked.front().at <= drain.deadline + drain.latency,
             "asked late");
        hold(drain.host, !drain.left_alone(guest) || truth.asked.empty(),
             "!drain.left_alone(guest) || truth.asked.empty()");
    }
}

RC_GTEST_PROP(DrainProperty, libvirt_in_trouble_and_lying_events, ()) {
    RandomDrain drain{true};
    drain.begin();
    const auto weather =
        random_weather(drain.host, drain.host.uri, drain.begun, drain.deadline - kCalmEnd);
    hold(drain.host, drain.run_to_end(drain.deadline), "drain.run_to_end(drain.deadline)");
    drain.host.run_for(drain.host.store.latency + 1s);
    const auto& transcript = drain.host.driver().transcript();
    hold(drain.host, !drain.host.driver().livelock(), "!drain.host.driver().livelock()");
    hold(drain.host, drain.touched_unlisted == "", "drain.touched_unlisted == ''");
    hold(drain.host, two_calls_at_once(transcript));
    hold(drain.host, too_many_long_calls(transcript));
    check_list(drain);
    for (const auto& guest : drain.wanted) {
        hold(drain.host, drain.host.outcome(guest) != Outcome::pending,
             "drain.host.outcome(guest) != Outcome::pending");
        if (!weather.for_ever)
            hold(drain.host, drain.asked_or_down(guest) || commanded(drain, guest), "unasked");
        if (drain.host.outcome(guest) == Outcome::shut_down ||
            drain.host.outcome(guest) == Outcome::saved)
            hold(drain.host, !drain.host.up(guest), "!drain.host.up(guest)");
    }
}

RC_GTEST_PROP(DrainProperty, guests_that_come_and_go_and_a_store_that_fails, ()) {
    RandomDrain drain{false};
    const auto late = drain.host.add("late", stopped());
    drain.begin();
    drain.host.store.health =
        one_of({sim::Store::Health::good, sim::Store::Health::fails, sim::Store::Health::silent});
    drain.host.world.at(drain.begun + seconds_between(0, 20),
                        [&] { drain.host.world.start_by_hand(late); });
    if (chance(50)) {
        const auto gone = *rc::gen::elementOf(drain.guests);
        drain.host.world.at(drain.begun + seconds_between(0, 20),
                            [&, gone] { drain.host.world.stop_by_hand(gone); });
    }
    hold(drain.host, drain.run_to_end(drain.deadline), "drain.run_to_end(drain.deadline)");
    drain.host.run_for(drain.host.store.latency + 1s);
    hold(drain.host, drain.touched_unlisted == "", "drain.touched_unlisted == ''");
    hold(drain.host, two_calls_at_once(drain.host.driver().transcript()));
    const auto run = drain.host.driver().machine().last_run();
    hold(drain.host, drain.host.store.health == sim::Store::Health::good || !run->clean,
         "drain.host.store.health == sim::Store::Health::good || !run->clean");
    for (const auto& guest : drain.wanted)
        hold(drain.host, drain.asked_or_down(guest), "unasked");
}

RC_GTEST_PROP(DrainProperty, guestd_killed_again_and_again, ()) {
    RandomDrain drain{chance(50)};
    drain.begin();
    if (chance(50))
        random_weather(drain.host, drain.host.uri, drain.begun, drain.deadline - kCalmEnd);
    // Once its intent is durable the run must end well, whatever happens to guestd.
    drain.host.run_for(drain.host.store.latency + 10ms);
    auto last_start = drain.begun;
    for (auto kills = number(1, 3); kills > 0; --kills) {
        drain.host.driver().kill_at(drain.host.driver().points() + number(1, 60),
                                    one_of<Duration>({100ms, 10s, 100s}));
        drain.run_to_end(drain.deadline + 5min);
        for (const auto& entry : drain.host.driver().transcript())
            if (std::holds_alternative<std::string>(entry.what))
                last_start = entry.at;
    }
    drain.host.driver().kill_at(0, {});
    hold(drain.host, drain.run_to_end(std::max(drain.deadline, last_start + 1s) + 5min),
         "drain.run_to_end(std::max(drain.deadline, last_start + 1s) + 5min)");
    count_kills(drain.host);
    drain.host.run_for(drain.host.store.latency + 1s);
    hold(drain.host, *drain.host.last_run().ended <= std::max(drain.deadline, last_start),
         "*drain.host.last_run().ended <= std::max(drain.deadline, last_start)");
    hold(drain.host, drain.touched_unlisted == "", "drain.touched_unlisted == ''");
    hold(drain.host, two_calls_at_once(drain.host.driver().transcript()));
    check_list(drain);
    for (const auto& guest : drain.wanted)
        hold(drain.host, drain.host.outcome(guest) != Outcome::pending,
             "drain.host.outcome(guest) != Outcome::pending");
}

}  // namespace
}  // namespace guestd::testing
