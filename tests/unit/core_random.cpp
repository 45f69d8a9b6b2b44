// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core_random.hpp"

#include <cstdio>
#include <cstdlib>

namespace guestd::testing {
namespace {

/// Kills that fell due behind the end of a run do not count: they have tried nothing.
class KillTally : public ::testing::Environment {
public:
    void add(unsigned kills) {
        ++hosts_;
        kills_ += kills;
    }
    void TearDown() override {
        if (hosts_ > 0)
            std::printf("guestd was killed %lu times, on %lu hosts\n", kills_, hosts_);
        const char* wanted = std::getenv("GUESTD_PROPERTY_KILLS");
        const auto least = wanted == nullptr ? 0 : std::strtoul(wanted, nullptr, 10);
        EXPECT_GE(kills_, least) << "kills that came to be";
    }

private:
    unsigned long kills_ = 0;
    unsigned long hosts_ = 0;
};

/// gtest owns it.
KillTally* const tally = [] {
    auto* made = new KillTally;
    ::testing::AddGlobalTestEnvironment(made);
    return made;
}();

Step random_step() {
    const auto kind = one_of({StepKind::shutdown, StepKind::save, StepKind::shutdown,
                              StepKind::destroy, StepKind::migrate});
    Step step{kind, ShutdownMode::automatic, seconds_between(1, 200), {}};
    if (kind == StepKind::migrate)
        step.target = "qemu+ssh://elsewhere/system";
    if (kind == StepKind::shutdown)
        step.mode = one_of({ShutdownMode::automatic, ShutdownMode::automatic, ShutdownMode::agent,
                            ShutdownMode::acpi});
    if (kind == StepKind::destroy)
        step.time = kDefaultDestroyTime;
    return step;
}

sim::Agent random_agent() {
    return one_of({sim::Agent::none, sim::Agent::answers, sim::Agent::ignores, sim::Agent::hangs,
                   sim::Agent::refuses});
}

}  // namespace

void count_kills(Host& host) {
    tally->add(host.driver().kills());
}

sim::UriModel random_uri(bool faulty_events) {
    sim::UriModel model;
    model.latency = one_of<Duration>({1ms, 20ms, 300ms});
    model.bandwidth = one_of<Bytes>({{1ULL << 30}, {100ULL << 20}});
    model.stream = one_of<Bytes>({{0}, {0}, {50ULL << 20}});
    model.save_end = one_of<Duration>({0ms, 200ms, 1s});
    model.tells_written = one_of<bool>({true, true, false});
    model.long_calls = number(1, 15);
    model.keepalive = one_of<Duration>({30s, 0s});
    if (faulty_events) {
        model.faults.lost = one_of({0.0, 0.2, 1.0});
        model.faults.doubled = one_of({0.0, 0.3});
        model.faults.late = one_of({0.0, 0.3});
        model.faults.delay = seconds_between(1, 60);
    }
    return model;
}

GuestModel random_running_guest() {
    GuestModel model;
    model.state = one_of({GuestState::running, GuestState::running, GuestState::running,
                          GuestState::paused, GuestState::crashed, GuestState::pmsuspended});
    model.persistent = !chance(15);
    model.memory = Bytes{static_cast<std::uint64_t>(number(1, 40)) << 28};
    if (chance(30))
        model.obeys.reset();
    else
        model.obeys = seconds_between(0, 150);
    model.flush = one_of<Duration>({0s, 0s, 15s});
    model.agent = random_agent();
    model.restarts_on_poweroff = chance(5);
    model.crashes_when_stopping = chance(5);
    model.refuses_save = chance(15);
    model.save_breaks = chance(10);
    model.deaf_to_sigterm = chance(10);
    model.unkillable = chance(5);
    if (chance(20))
        model.job = one_of({GuestJob::backup, GuestJob::block, GuestJob::other});
    model.refuses_migration = chance(50);
    model.migration_time = seconds_between(1, 120);
    return model;
}

GuestModel random_stopped_guest() {
    GuestModel model = stopped();
    model.memory = Bytes{static_cast<std::uint64_t>(number(1, 20)) << 28};
    model.autostart = chance(30);
    model.managed_save = chance(30);
    model.image_breaks = model.managed_save && chance(20);
    model.image_vanishes = model.managed_save && !model.image_breaks && chance(20);
    model.image_partial = model.managed_save && chance(10);
    if (model.managed_save && chance(20))
        model.image_differences = {"memory"};
    model.disk_version = one_of({1U, 1U, 2U});
    model.disk_from = TimePoint{one_of<Duration>({0s, 0s, 0s, 3min, 40min})};
    model.has_io = chance(80);
    model.never_rests = chance(20);
    if (chance(50))
        model.serves_after = seconds_between(0, 150);
    model.start_failures = one_of({0U, 0U, 1U, 3U, 50U});
    model.locked_until = TimePoint{one_of<Duration>({0s, 0s, 5min})};
    model.start_time = one_of<Duration>({100ms, 3s, 40s});
    model.boot_time = seconds_between(0, 100);
    model.agent = random_agent();
    return model;
}

void random_stop_policy(GuestPolicy& policy) {
    policy.stop.stop.clear();
    if (chance(8))
        policy.stop.stop.push_back(leave_step());
    else
        for (auto steps = number(1, 4); steps > 0; --steps)
            policy.stop.stop.push_back(random_step());
    policy.stop.busy = one_of<Duration>({30s, 0s, 5s});
    policy.stop.pause_before_save = chance(30);
    policy.stop.resend = one_of<Duration>({0s, 10s, 3s});
    policy.stop.transient =
        one_of({TransientRule::shutdown, TransientRule::destroy, TransientRule::leave});
    policy.stop.paused =
        one_of({PausedRule::save, PausedRule::resume, PausedRule::destroy, PausedRule::leave});
    policy.tier = one_of({Tier::normal, Tier::critical, Tier::expendable});
}

void random_start_policy(GuestPolicy& policy) {
    auto& start = policy.start;
    start.policy = one_of({StartChoice::automatic, StartChoice::automatic, StartChoice::automatic,
                           StartChoice::always, StartChoice::never});
    start.resume = !chance(10);
    start.ready.clear();
    if (chance(40))
        start.ready.push_back(Probe{.kind = ProbeKind::agent});
    if (chance(40))
        start.ready.push_back(Probe{.kind = ProbeKind::delay, .span = seconds_between(1, 60)});
    if (chance(30))
        start.ready.push_back(Probe{.kind = one_of({ProbeKind::tcp, ProbeKind::exec,
                                                    ProbeKind::address, ProbeKind::running}),
                                    .target = one_of<std::string>({"", "192.0.2.9"})});
    if (chance(30))
        start.ready.push_back(
            Probe{.kind = ProbeKind::io_settle, .span = seconds_between(1, 9), .rate = {1000}});
    if (chance(30))
        start.needs.push_back(*rc::gen::elementOf(needs()));
    if (chance(15))
        start.needs.push_back(*rc::gen::elementOf(needs()));
    start.restore_failure = one_of({RestoreFailure::hold, RestoreFailure::cold_boot});
    start.pending_config = one_of({PendingConfig::resume, PendingConfig::cold_boot});
    start.sync_time = chance(80);
    start.ready_timeout = seconds_between(5, 120);
    start.on_ready_timeout = one_of({OnReadyTimeout::proceed, OnReadyTimeout::fail});
    start.retry.attempts = number(1, 5);
    policy.priority = one_of({0, 0, 5, -5});
}

void random_order(sim::Policy& policy, unsigned guests) {
    for (unsigned i = 1; i < guests; ++i) {
        if (!chance(40))
            continue;
        const auto need = "g" + std::to_string(number(0, i - 1));
        auto& own = policy.of("g" + std::to_string(i));
        (chance(50) ? own.after : own.requires_).push_back(need);
    }
}

std::vector<Need> needs() {
    return {{NeedKind::mount, "/srv"}, {NeedKind::pool, "ssd"}, {NeedKind::unit, "x.service"}};
}

void random_surroundings(Host& host) {
    for (const auto& need : needs()) {
        if (chance(30))
            continue;  // always there
        const auto from = seconds_between(0, 600);
        const auto to = from + seconds_between(1, 300);
        host.world.need(need, TimePoint{from}, TimePoint{to});
        host.world.need(need, TimePoint{to + seconds_between(0, 600)});
    }
    auto& uri = host.policy->uris;
    uri.adaptive_parallel = chance(20);
    uri.min_free_memory = Bytes{one_of({0ULL, 512ULL << 20})};
    const auto percent = [] { return static_cast<double>(number(0, 99)); };
    for (auto changes = number(0, 4); changes > 0; --changes)
        host.world.host_is(TimePoint{seconds_between(0, 900)},
                           HostMeasured{.io = percent(),
                                        .cpu = percent(),
                                        .memory = percent(),
                                        .available = Bytes{4ULL << 30}});
    host.world.host_is(TimePoint{15min}, HostMeasured{.io = percent(),
                                                      .cpu = percent(),
                                                      .memory = percent(),
                                                      .available = Bytes{64ULL << 30}});
}

Weather random_weather(Host& host, UriId uri, TimePoint from, TimePoint until) {
    const auto kind = number(0, 9);
    if (kind < 5)
        return {};
    const auto room =
        static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(until - from).count());
    const auto begin =
        from + seconds_between(0, std::max(0, room - 1)) + one_of<Duration>({0s, 1ms, 3ms});
    const bool for_ever = chance(25);
    const auto end =
        for_ever ? kNever : std::min(until, begin + seconds_between(1, std::max(1, room)));
    if (kind < 7)
        host.world.freeze(uri, begin, end);
    else if (kind < 9)
        host.world.kill_daemon(uri, begin, end);
    else
        host.world.cut(uri, begin, end);
    return {false, for_ever};
}

}  // namespace guestd::testing
