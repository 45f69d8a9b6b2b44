// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/rehearsal.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "config/span.hpp"
#include "sim/driver.hpp"

namespace guestd::plan {
namespace {

/// Until every URI of the simulator has answered, and until its store has written everything.
constexpr Duration kSettle = std::chrono::seconds{10};
/// No run takes longer that is any use: a cap for plans that never end.
constexpr Duration kLongest = std::chrono::hours{24 * 7};
/// A readiness probe that never succeeds.
constexpr Duration kNeverReady = std::chrono::hours{24 * 365};

Duration longest_delay(const std::vector<Probe>& probes) {
    Duration longest{};
    for (const auto& probe : probes)
        if (probe.kind == ProbeKind::delay)
            longest = std::max(longest, probe.span);
    return longest;
}

/// The guests in the simulator's world, and the policy as the core is to see it there: the world
/// knows neither gates nor probes nor pressure, so gates are open, readiness is a time to wait, and
/// the host is idle.
class Stage : public PolicySource {
public:
    Stage(const Fleet& fleet, const Policies& policies, Temper temper);

    GuestPolicy guest(const GuestFacts& facts, std::optional<Trigger> trigger) const override;
    UriPolicy uri(const std::string& uri, std::optional<Trigger> trigger) const override;
    const DaemonPolicy& daemon() const override { return daemon_; }

    std::optional<std::size_t> place(const Uuid& uuid) const {
        const auto found = places_.find(uuid);
        return found == places_.end() ? std::nullopt : std::optional{found->second};
    }
    const GuestId& id(std::size_t guest) const { return ids_[guest]; }
    sim::World world;

private:
    sim::GuestModel model(const Guest& guest) const;
    Duration ready_time(std::size_t guest, const StartPolicy& policy) const;

    const Fleet& fleet_;
    const Policies& policies_;
    Temper temper_;
    DaemonPolicy daemon_;
    std::vector<GuestId> ids_;
    std::unordered_map<Uuid, std::size_t> places_;  ///< by the world's UUID, which is its own
};

Stage::Stage(const Fleet& fleet, const Policies& policies, Temper temper)
    : fleet_(fleet), policies_(policies), temper_(temper), daemon_(policies.source->daemon()) {
    ids_.resize(fleet.guests.size());
    for (const auto& members : by_uri(fleet)) {
        const auto& uri = fleet.guests[members.front()].uri;
        const auto rate = fleet.rates.find(uri);
        auto bandwidth = rate == fleet.rates.end() ? kUsualRate : rate->second;
        if (temper == Temper::worst)
            bandwidth.count = std::max<std::uint64_t>(bandwidth.count / 2, 1);
        const auto id = world.add_uri({.uri = uri, .bandwidth = bandwidth, .reconnect = {}});
        for (const auto i : members) {
            ids_[i] = world.add_guest(id, model(fleet.guests[i]));
            places_.emplace(ids_[i].uuid, i);
        }
    }
}

sim::GuestModel Stage::model(const Guest& guest) const {
    const bool worst = temper_ == Temper::worst;
    sim::GuestModel model{.name = guest.name,
                          .state = guest.state,
                          .persistent = guest.persistent,
                          .autostart = guest.autostart,
                          .managed_save = guest.managed_save,
                          .memory = guest.memory.count > 0 ? guest.memory : kUsualMemory};
    model.obeys = guest.pace.shutdown.value_or(kUsualShutdown);
    model.start_time = guest.pace.start.value_or(kUsualStart);
    if (guest.agent)
        model.agent = worst ? sim::Agent::ignores : sim::Agent::answers;
    if (worst) {
        model.obeys.reset();
        model.deaf_to_sigterm = true;
    }
    return model;
}

Duration Stage::ready_time(std::size_t guest, const StartPolicy& policy) const {
    const auto delay = longest_delay(policy.ready);
    if (are_certain(policy.ready))
        return delay;
    if (temper_ == Temper::worst)
        return kNeverReady;
    const bool restored = world.truth(ids_[guest]).managed_save;
    return std::max(
        delay, restored ? kUsualRestored : fleet_.guests[guest].pace.ready.value_or(kUsualReady));
}

GuestPolicy Stage::guest(const GuestFacts& facts, std::optional<Trigger> trigger) const {
    const auto i = place(facts.uuid);
    if (!i)
        return {};
    auto policy = (trigger ? policies_.drain : policies_.boot)[*i];
    policy.start.ready = {Probe{.kind = ProbeKind::delay, .span = ready_time(*i, policy.start)}};
    policy.start.needs.clear();
    policy.start.sync_time = false;
    // Asking again changes nothing here: these guests hear the first time, or never. On a large
    // fleet it would be most of the work.
    policy.stop.resend = {};
    return policy;
}

UriPolicy Stage::uri(const std::string& uri, std::optional<Trigger> trigger) const {
    auto policy = policies_.source->uri(uri, trigger);
    policy.adaptive_parallel = false;
    policy.pressure = {.io = 0, .cpu = 0, .memory = 0};
    policy.min_free_memory = {};
    return policy;
}

/// Listens to what the core writes down.
class Recorder {
public:
    Recorder(const Stage& stage, const Fleet& fleet, RunKind kind)
        : stage_(stage), kind_(kind), ways_(fleet.guests.size()), seen_(fleet.guests.size()) {}

    void hear(const Command& command) {
        if (const auto* begun = std::get_if<StoreRun>(&command))
            begin(*begun);
        else if (const auto* row = std::get_if<StoreGuest>(&command))
            take(row->guest);
        else if (const auto* span = std::get_if<StoreSpan>(&command))
            take(span->span);
        else if (const auto* end = std::get_if<StoreRunEnd>(&command))
            finish(end->run);
    }

    /// Of runs, of whichever kind, that have begun and ended since it was asked last.
    bool take_ended() { return std::exchange(ended_, false); }
    Scenario scenario();

private:
    void begin(const StoreRun& store) {
        if (store.run.kind != kind_)
            return;
        run_ = store.run;
        for (const auto& row : store.guests)
            take(row);
    }

    void take(const RunGuestRecord& row) {
        const auto place = stage_.place(row.uuid);
        if (row.run != run_.id || !place)
            return;
        seen_[*place] = true;
        ways_[*place].outcome = row.outcome;
        ways_[*place].cause = row.cause;
    }

    void take(const SpanRecord& span) {
        const auto place = stage_.place(span.uuid);
        if (span.run == run_.id && place && span.end)
            ways_[*place].stretches.push_back(
                {span.what, span.begin - run_.started, *span.end - run_.started, span.note});
    }

    void finish(const RunRecord& run) {
        ended_ = true;
        if (run.id == run_.id)
            run_ = run;
    }

    const Stage& stage_;
    RunKind kind_;
    RunRecord run_;
    std::vector<Way> ways_;
    std::vector<bool> seen_;
    bool ended_ = false;
};

Scenario Recorder::scenario() {
    Scenario scenario;
    for (std::size_t i = 0; i < ways_.size(); ++i) {
        if (!seen_[i])
            continue;
        ways_[i].guest = i;
        scenario.ways.push_back(std::move(ways_[i]));
    }
    std::ranges::stable_sort(scenario.ways, {}, [](const Way& way) { return way.begin(); });
    scenario.ended = run_.ended.has_value();
    if (scenario.ended)
        scenario.length = *run_.ended - run_.started;
    if (kind_ == RunKind::drain)
        scenario.deadline = run_.deadline - run_.started;
    return scenario;
}

/// This boot has had its boot run, and these guests wait for the next one.
void set_up(sim::Store& store, const Fleet& fleet, const Stage& stage) {
    store.runs[1] = RunRecord{.id = 1,
                              .kind = RunKind::boot,
                              .trigger = Trigger::host_boot,
                              .state = RunState::finished,
                              .boot_id = "boot-1"};
    for (std::size_t i = 0; i < fleet.guests.size(); ++i) {
        const auto& guest = fleet.guests[i];
        const auto& uuid = stage.id(i).uuid;
        if (guest.resume)
            store.entries[{guest.uri, uuid}] = ResumeEntry{.uri = guest.uri,
                                                           .uuid = uuid,
                                                           .name = guest.name,
                                                           .expect_restore = guest.managed_save};
    }
}

/// Guests that were there to be stopped, and went a way that is not the one they were meant to go.
void judge(Way& way, const Policies& policies, RunKind kind) {
    const auto& policy = policies.of(kind)[way.guest];
    if (way.outcome == Outcome::failed || way.outcome == Outcome::pending) {
        way.late = true;
        way.late_because = way.cause.empty() ? "it is not dealt with to the end" : way.cause;
    } else if (way.outcome == Outcome::destroyed && !policy.stop.stop.empty() &&
               policy.stop.stop.front().kind != StepKind::destroy && !way.cause.empty()) {
        way.late = true;
        way.late_because = "killed; " + way.cause;
    } else if (kind == RunKind::boot) {
        for (const auto& stretch : way.stretches)
            if (stretch.what == "settling" &&
                stretch.end - stretch.begin >= policy.start.ready_timeout) {
                way.late = true;
                way.late_because =
                    "not ready within " + config::format_span(policy.start.ready_timeout);
            }
    }
}

}  // namespace

bool are_certain(const std::vector<Probe>& probes) {
    return std::ranges::all_of(probes, [](const Probe& probe) {
        return probe.kind == ProbeKind::running || probe.kind == ProbeKind::delay;
    });
}

bool Way::has(std::string_view what) const {
    return std::ranges::find(stretches, what, &Stretch::what) != stretches.end();
}

Duration Way::begin() const {
    for (const auto& stretch : stretches)
        if (stretch.what != "waiting")
            return stretch.begin;
    return end();
}

Duration Way::end() const {
    return stretches.empty() ? Duration::zero() : stretches.back().end;
}

Scenario rehearse(const Fleet& fleet, const Policies& policies, const Request& request,
                  Temper temper) {
    const auto stage = std::make_shared<Stage>(fleet, policies, temper);
    sim::Store store{stage->world.clock()};
    set_up(store, fleet, *stage);
    sim::Driver driver{stage->world, store, stage};
    Recorder recorder{*stage, fleet, request.kind};
    driver.watch = [&](const Command& command) { recorder.hear(command); };
    const auto to_the_end = [&] {
        driver.run([&] { return recorder.take_ended(); }, driver.now() + kLongest);
        driver.run_until(driver.now() + kSettle);
    };
    driver.start_guestd();
    driver.run_until(driver.now() + kSettle);
    driver.send(RunRequested{.kind = RunKind::drain,
                             .trigger = request.trigger,
                             .deadline = request.deadline,
                             .selection = {}});
    to_the_end();
    if (request.kind == RunKind::boot) {
        driver.reboot_host();
        driver.start_guestd();
        to_the_end();
    }
    auto scenario = recorder.scenario();
    for (auto& way : scenario.ways)
        judge(way, policies, request.kind);
    return scenario;
}

}  // namespace guestd::plan
