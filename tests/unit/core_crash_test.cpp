// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The crash matrix: guestd is killed at every point of a story, one point per try, and started
// again from the store. What comes of the guests must be what comes of them without a crash.
#include <functional>
#include <initializer_list>

#include "core_checks.hpp"
#include "core_host.hpp"

namespace guestd::testing {
namespace {

constexpr Duration kBack = 200ms;

/// A story, told from a fresh host on; `kill` is called when points begin to count.
struct Story {
    virtual ~Story() = default;
    virtual void tell(Host& host, const std::function<void()>& kill) = 0;
    virtual void check(Host& host) = 0;
    void run_matrix();
};

void Story::run_matrix() {
    std::size_t last = 0;
    for (std::size_t point = 1; last == 0 || point <= last; ++point) {
        Host host;
        std::size_t first = 0;
        tell(host, [&] {
            first = host.driver().points();
            host.driver().kill_at(first + point, kBack);
        });
        SCOPED_TRACE("killed at point " + std::to_string(point));
        check(host);
        const auto& transcript = host.driver().transcript();
        EXPECT_EQ(two_calls_at_once(transcript), Complaint{});
        EXPECT_FALSE(host.driver().livelock());
        const auto killed = std::ranges::count_if(transcript, [](const auto& entry) {
            const auto* mark = std::get_if<std::string>(&entry.what);
            return mark != nullptr && *mark == "guestd is killed";
        });
        if (killed == 0)
            last = point;
        if (::testing::Test::HasFailure()) {
            ADD_FAILURE() << host.transcript();
            return;
        }
    }
    EXPECT_GT(last, 30U) << "a matrix of no size proves nothing";
}

struct BootStory : Story {
    std::vector<GuestId> guests;
    void tell(Host& host, const std::function<void()>& kill) override {
        guests.clear();
        for (const char* name : {"db", "app", "web", "automatic"}) {
            auto model = stopped();
            model.managed_save = *name == 'a';
            model.autostart = std::string{name} == "automatic";
            guests.push_back(host.add(name, model));
            if (!model.autostart)
                host.list(guests.back(), ResumeEntry{.expect_restore = model.managed_save});
        }
        host.world.model(guests[2]).start_failures = 1;
        host.policy->of("app").requires_ = {"db"};
        host.policy->uris.max_parallel = 2;
        host.policy->guests.start.ready = {Probe{.kind = ProbeKind::delay, .span = 3s}};
        host.driver();
        kill();
        host.start();
        host.run_for(1s);
        host.finish();
    }
    void check(Host& host) override {
        for (const auto& guest : guests) {
            EXPECT_TRUE(host.up(guest)) << host.world.model(guest).name;
            EXPECT_EQ(host.truth(guest).boots + host.truth(guest).restores, 1U);
            EXPECT_FALSE(host.on_list(guest));
        }
        EXPECT_EQ(host.last_run().id, 1U) << "one boot run per boot";
        EXPECT_NE(host.last_run().state, RunState::active);
    }
};

TEST(CrashMatrix, boot) {
    BootStory story;
    story.run_matrix();
}

struct DrainStory : Story {
    std::vector<GuestId> guests;
    TimePoint asked_for{};
    void tell(Host& host, const std::function<void()>& kill) override {
        guests = {host.add("obedient", obeys_after(2s)), host.add("slow", obeys_after(20s)),
                  host.add("deaf", deaf()), host.add("paused", in_state(GuestState::paused)),
                  host.add("db", obeys_after(1s))};
        host.world.model(guests[2]).memory = Bytes{5ULL << 30};
        host.policy->of("obedient").requires_ = {"db"};
        host.policy->guests.stop.stop = {shutdown_for(30s), save_for(1min), destroy_step()};
        host.policy->of("deaf").stop.stop = {shutdown_for(3s), save_for(1min), destroy_step()};
        host.booted_before();
        host.start();
        asked_for = host.now();
        host.driver().send(RunRequested{RunKind::drain, Trigger::reboot, {}, {}});
        kill();
        host.run_for(1s);
        if (!host.driver().machine().active_run() && host.store.runs.size() < 2)
            // Killed before anything was durable: whoever wanted the drain asks again.
            host.driver().send(RunRequested{RunKind::drain, Trigger::reboot, {}, {}});
        host.run_for(1s);
        host.finish();
    }
    void check(Host& host) override {
        const auto expected = {Outcome::shut_down, Outcome::shut_down, Outcome::saved,
                               Outcome::saved, Outcome::shut_down};
        for (std::size_t i = 0; i < guests.size(); ++i) {
            const auto& guest = guests[i];
            EXPECT_EQ(host.outcome(guest), std::data(expected)[i]) << host.world.model(guest).name;
            EXPECT_EQ(host.truth(guest).kills, 0U);
            ASSERT_TRUE(host.on_list(guest));
            EXPECT_EQ(host.entry(guest)->was_paused, i == 3);
            EXPECT_EQ(host.entry(guest)->expect_restore, i == 2 || i == 3);
        }
        const auto& obedient = host.truth(guests[0]);
        const auto& db = host.truth(guests[4]);
        EXPECT_GE(db.asked.front().at, obedient.down) << "order";
        EXPECT_LE(host.last_run().deadline, asked_for + 10min + 3s) << "the original one";
    }
};

TEST(CrashMatrix, drain) {
    DrainStory story;
    story.run_matrix();
}

struct CancelStory : Story {
    GuestId down{};
    GuestId slow{};
    GuestId saving{};
    void tell(Host& host, const std::function<void()>& kill) override {
        down = host.add("down", obeys_after(1s));
        slow = host.add("slow", obeys_after(15s));
        saving = host.add("saving", deaf());
        host.world.model(saving).memory = Bytes{50ULL << 30};
        host.policy->of("saving").stop.stop = {save_for(3min)};
        host.booted_before();
        host.start();
        host.driver().send(RunRequested{RunKind::drain, Trigger::manual, {}, {}});
        host.run_for(5s);
        kill();
        host.driver().send(CancelRequested{});
        host.run_for(1s);
        if (host.last_run().kind == RunKind::drain)
            host.driver().send(CancelRequested{});  // it died on the first
        host.run_for(1s);
        host.finish();
    }
    void check(Host& host) override {
        for (const auto& guest : {down, slow, saving})
            EXPECT_TRUE(host.up(guest) || host.on_list(guest)) << host.world.model(guest).name;
        EXPECT_TRUE(host.up(down));
        EXPECT_LE(host.truth(down).boots, 1U);
    }
};

TEST(CrashMatrix, cancel) {
    CancelStory story;
    story.run_matrix();
}

/// A bit that has flipped on the disk while guestd was away, in the times of the run's rows.
TEST(CrashMatrix, TimesThatCannotBeTrueNeitherEndADrainNorPutItsEndOff) {
    struct Case {
        const char* what;
        std::function<void(RunRecord&, RunGuestRecord&)> damage;
    };
    const auto huge = TimePoint::max() - 1s;
    for (const auto& [what, damage] : std::initializer_list<Case>{
             {"none", [](auto&, auto&) {}},
             {"no deadline", [](auto&run, auto&) { run.deadline = kNever; }},
             {"a huge deadline", [=](auto&run, auto&) { run.deadline = huge; }},
             {"a deadline before the start", [](auto&run, auto&) { run.deadline = {}; }},
             {"a deadline before time", [](auto&run, auto&) { run.deadline = TimePoint::min(); }},
             {"a start to come", [=](auto&run, auto&) { run.started = run.deadline = huge; }},
             {"a start before time", [](auto&run, auto&) { run.started = TimePoint::min(); }},
             {"a step to come", [=](auto&, auto&guest) { guest.started = huge; }},
             {"a step before time", [](auto&, auto&guest) { guest.started = TimePoint::min(); }},
         }) {
        SCOPED_TRACE(what);
        Host host;
        const auto guest = host.add("deaf", deaf());
        host.policy->uris.deadline = 90s;
        host.policy->of("deaf").stop.stop = {shutdown_for(20s), destroy_step()};
        host.booted_before();
        host.start();
        host.driver().send(RunRequested{RunKind::drain, Trigger::poweroff, {}, {}});
        host.run_for(5s);
        host.driver().kill_guestd();
        auto& run = host.store.runs.rbegin()->second;
        damage(run, host.store.guests.at(run.id).begin()->second);
        const auto again = host.now();
        host.driver().start_guestd();
        host.finish();
        host.run_for(1s);
        EXPECT_EQ(host.outcome(guest), Outcome::destroyed);
        EXPECT_LE(*host.last_run().ended, again + 90s);
    }
}

}  // namespace
}  // namespace guestd::testing
