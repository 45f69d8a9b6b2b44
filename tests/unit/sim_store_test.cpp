// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The model store and the driver: durable means durable, and a story repeats exactly.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

TEST(SimStore, what_was_not_durable_dies_with_guestd) {
    sim::Clockwork clock;
    sim::Store store{clock};
    store.latency = 10ms;
    store.write(StoreEntries{0, {ResumeEntry{.uri = "a", .name = "first"}}});
    clock.run_next();
    store.write(StoreEntries{0, {ResumeEntry{.uri = "b", .name = "second"}}});
    store.forget_queue();
    clock.run_next();
    EXPECT_EQ(store.restored("boot").resume_list.size(), 1U);
}

TEST(SimStore, answers_as_healthy_as_it_is) {
    for (const auto health : {sim::Store::Health::good, sim::Store::Health::fails}) {
        sim::Clockwork clock;
        sim::Store store{clock};
        std::vector<Stored> answers;
        store.answer = [&](const Stored& stored) { answers.push_back(stored); };
        store.health = health;
        store.write(StoreEntries{7, {ResumeEntry{.uri = "a"}}});
        clock.run_next();
        ASSERT_EQ(answers.size(), 1U);
        EXPECT_EQ(answers[0].id, 7U);
        EXPECT_EQ(answers[0].durable, health == sim::Store::Health::good);
        EXPECT_EQ(store.entries.size(), answers[0].durable ? 1U : 0U);
    }
}

TEST(SimStore, a_silent_one_never_answers) {
    sim::Clockwork clock;
    sim::Store store{clock};
    store.health = sim::Store::Health::silent;
    store.write(StoreEntries{7, {}});
    EXPECT_EQ(clock.next(), kNever);
}

TEST(SimStore, finds_the_unfinished_run_with_its_guests) {
    sim::Clockwork clock;
    sim::Store store{clock};
    store.runs[4] = RunRecord{.id = 4, .kind = RunKind::drain, .boot_id = "b"};
    store.guests[4][{"u", Uuid{}}] = RunGuestRecord{.run = 4, .uri = "u"};
    const auto restored = store.restored("b");
    ASSERT_TRUE(restored.unfinished);
    EXPECT_EQ(restored.unfinished->id, 4U);
    EXPECT_EQ(restored.unfinished_guests.size(), 1U);
    EXPECT_EQ(restored.last_run, 4U);
    EXPECT_FALSE(restored.boot_run_done);
}

TEST(SimDriver, the_same_story_gives_the_same_transcript) {
    const auto tell = [] {
        sim::UriModel model;
        model.faults = {.lost = 0.3, .doubled = 0.3, .late = 0.3, .delay = 5s};
        Host host{model, 42};
        for (int i = 0; i < 10; ++i)
            host.add("g" + std::to_string(i), obeys_after(std::chrono::seconds{i}));
        host.drain();
        return host.transcript();
    };
    EXPECT_EQ(tell(), tell());
}

TEST(SimDriver, kills_at_the_point_it_was_told) {
    Host host;
    host.add("web");
    host.booted_before();
    host.start();
    const auto points = host.driver().points();
    host.driver().kill_at(points + 3, 1s);
    host.driver().send(RunRequested{RunKind::drain, Trigger::poweroff, {}, {}});
    host.run_for(1ms);
    EXPECT_EQ(host.driver().points(), points + 3);
    EXPECT_FALSE(host.driver().alive());
    host.run_for(2s);
    EXPECT_TRUE(host.driver().alive());
}

}  // namespace
}  // namespace guestd::testing
