// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 8: a drain while libvirt is frozen, gone, or tells half the truth.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using enum CallKind;

struct Trouble : ::testing::Test {
    sim::UriModel model;
    std::unique_ptr<Host> host = std::make_unique<Host>();
    void world(sim::UriModel with) { host = std::make_unique<Host>(with); }
    void up_and_running() {
        host->booted_before();
        host->start();
    }
    void drain_for(Duration time, Trigger trigger = Trigger::poweroff) {
        host->driver().send(RunRequested{RunKind::drain, trigger, {}, {}});
        host->run_for(time);
    }
    Duration length() { return *host->last_run().ended - host->last_run().started; }
};

TEST_F(Trouble, libvirt_frozen_for_ever_the_run_ends_at_its_deadline) {
    model.keepalive = 0s;
    world(model);
    const auto web = host->add("web");
    up_and_running();
    host->world.freeze(host->uri, host->now(), kNever);
    host->drain();
    EXPECT_EQ(length(), 10min);
    EXPECT_EQ(host->outcome(web), Outcome::failed);
    EXPECT_TRUE(host->on_list(web));
    EXPECT_LT(host->commands<AbandonCall>().size(), 10U) << "each costs a thread";
}

TEST_F(Trouble, libvirt_frozen_and_given_up_by_keepalive) {
    const auto web = host->add("web");
    up_and_running();
    host->world.freeze(host->uri, host->now(), kNever);
    host->drain();
    EXPECT_EQ(length(), 10min);
    EXPECT_THAT(host->cause(web), HasSubstr("libvirt did not answer"));
    EXPECT_THAT(host->commands<Call>(), SizeIs(2)) << "nobody is there to be asked any more";
}

TEST_F(Trouble, libvirt_frozen_for_a_minute_each_guest_still_ends_by_its_ladder) {
    const auto web = host->add("web");
    const auto app = host->add("app", deaf());
    host->policy->of("app").stop.stop = {shutdown_for(20s), save_for(1min), destroy_step()};
    up_and_running();
    host->world.freeze(host->uri, host->now() + 100us, host->now() + 1min);
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::shut_down);
    EXPECT_EQ(host->outcome(app), Outcome::saved) << host->transcript();
}

TEST_F(Trouble, a_last_step_that_libvirt_has_not_taken_waits_for_it) {
    model.keepalive = 0s;
    world(model);
    const auto web = host->add("web", obeys_after(20s));
    host->policy->guests.stop.stop = {shutdown_for(30s)};
    up_and_running();
    host->world.freeze(host->uri, host->now(), host->now() + 2min);
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::shut_down);
    EXPECT_THAT(host->asked(web), Each(shutdown_acpi));
}

TEST_F(Trouble, libvirt_that_was_never_there_is_given_up_after_connect_timeout) {
    model.answers_from = kNever;
    world(model);
    host->drain();
    EXPECT_LE(length(), 30s);
    EXPECT_FALSE(host->last_run().clean);
    EXPECT_THAT(host->notices(NoticeKind::uri_unreachable), SizeIs(1));
}

TEST_F(Trouble, libvirt_that_an_earlier_life_knew_is_waited_for_to_the_deadline) {
    model.answers_from = TimePoint{5min};
    world(model);
    const auto web = host->add("web");
    host->list(web);  // of an earlier boot
    host->booted_before();
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::shut_down);
}

TEST_F(Trouble, libvirt_that_dies_and_stays_away_fails_its_guests_at_the_deadline) {
    const auto web = host->add("web");
    up_and_running();
    host->world.kill_daemon(host->uri, host->now(), kNever);
    host->run_for(1s);
    host->drain();
    EXPECT_EQ(length(), 10min);
    EXPECT_EQ(host->outcome(web), Outcome::failed);
    EXPECT_TRUE(host->on_list(web));
}

TEST_F(Trouble, a_guest_that_obeyed_while_libvirt_was_away_is_found_down) {
    const auto web = host->add("web", obeys_after(5s));
    up_and_running();
    host->world.kill_daemon(host->uri, host->now() + 2s, host->now() + 1min);
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::shut_down);
    EXPECT_THAT(host->asked(web), ElementsAre(shutdown_acpi)) << "not asked twice needlessly";
}

TEST_F(Trouble, a_steps_time_stands_still_while_libvirt_is_away) {
    auto guest = deaf();
    guest.refuses_save = true;
    const auto web = host->add("web", guest);
    host->policy->guests.stop.stop = {shutdown_for(30s), destroy_step()};
    up_and_running();
    host->world.kill_daemon(host->uri, host->now() + 5s, host->now() + 2min);
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::destroyed);
    EXPECT_GE(host->asked_at(web, destroy_graceful), 2min + 30s);
}

TEST_F(Trouble, a_save_goes_on_when_only_the_connection_breaks_and_is_adopted) {
    GuestModel guest;
    guest.memory = Bytes{60ULL << 30};
    const auto web = host->add("web", guest);
    host->policy->guests.stop.stop = {save_for(3min), destroy_step()};
    up_and_running();
    host->world.cut(host->uri, host->now() + 20s, host->now() + 25s);
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::saved);
    EXPECT_THAT(host->asked(web), ElementsAre(save));
}

TEST_F(Trouble, a_save_whose_worker_alone_broke_is_looked_up_and_adopted) {
    GuestModel guest;
    guest.memory = Bytes{60ULL << 30};
    const auto web = host->add("web", guest);
    host->policy->guests.stop.stop = {save_for(3min), destroy_step()};
    up_and_running();
    host->world.at(host->now() + 20s, [&] { host->world.cut_calls(web); });
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::saved);
    EXPECT_THAT(host->asked(web), ElementsAre(save));
}

TEST_F(Trouble, a_save_that_died_with_libvirt_is_made_again) {
    GuestModel guest;
    guest.memory = Bytes{60ULL << 30};
    const auto web = host->add("web", guest);
    host->policy->guests.stop.stop = {save_for(3min), destroy_step()};
    up_and_running();
    host->world.kill_daemon(host->uri, host->now() + 20s, host->now() + 25s);
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::saved);
    EXPECT_THAT(host->asked(web), ElementsAre(save, save));
}

TEST_F(Trouble, an_adopted_save_over_its_time_is_aborted) {
    GuestModel guest;
    guest.memory = Bytes{6000ULL << 30};
    const auto web = host->add("web", guest);
    host->policy->guests.stop.stop = {save_for(1min), destroy_step()};
    up_and_running();
    host->world.cut(host->uri, host->now() + 20s, host->now() + 25s);
    host->drain();
    EXPECT_THAT(host->asked(web), ElementsAre(save, abort_job, destroy_graceful));
    EXPECT_EQ(host->outcome(web), Outcome::destroyed);
}

TEST_F(Trouble, lost_events_cost_time_but_no_guest) {
    model.faults.lost = 1;
    world(model);
    const auto web = host->add("web", obeys_after(3s));
    host->policy->guests.stop.stop = {shutdown_for(30s), save_for(1min), destroy_step()};
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::shut_down);
    EXPECT_THAT(host->asked(web), Not(Contains(destroy_graceful)));
}

TEST_F(Trouble, a_stale_stop_event_is_not_believed) {
    model.faults.doubled = 1;
    model.faults.delay = 20s;
    world(model);
    const auto web = host->add("web", obeys_after(3s));
    const auto slow = host->add("slow", obeys_after(60s));
    up_and_running();
    host->world.stop_by_hand(web);
    host->run_for(1s);
    host->world.start_by_hand(web);
    host->run_for(1s);
    host->world.model(web) = deaf();
    host->world.model(web).name = "web";
    drain_for(100ms);
    host->run_for(30s);  // its doubled stop comes
    EXPECT_TRUE(host->up(web));
    EXPECT_THAT(host->notices(NoticeKind::guest_done), SizeIs(0));
    host->finish();
    EXPECT_FALSE(host->up(web) || host->up(slow));
}

TEST_F(Trouble, a_stop_event_is_believed_when_libvirt_does_not_answer_any_more) {
    model.keepalive = 0s;
    world(model);
    const auto web = host->add("web", obeys_after(3s));
    up_and_running();
    drain_for(3s + 6ms);
    host->world.freeze(host->uri, host->now(), kNever);
    host->finish();
    EXPECT_EQ(host->outcome(web), Outcome::shut_down);
    EXPECT_LT(length(), 10s);
}

TEST_F(Trouble, an_abort_that_does_not_get_through_leaves_time_for_the_next_step) {
    model.workers = model.long_calls = 1;  // the save itself holds the only worker
    model.bandwidth = Bytes{1ULL << 20};
    world(model);
    const auto web = host->add("web");
    host->policy->guests.stop.stop = {save_for(6s), destroy_step()};
    host->drain({RunKind::drain, Trigger::ups, 12s, {}});
    EXPECT_EQ(host->outcome(web), Outcome::destroyed) << host->transcript();
    EXPECT_FALSE(host->up(web));
    EXPECT_LE(length(), 12s);
}

TEST_F(Trouble, a_uri_that_answers_during_the_drain_is_drained) {
    sim::UriModel late;
    late.uri = "lxc:///system";
    late.answers_from = TimePoint{25s};
    const auto second = host->world.add_uri(late);
    const auto box = host->add(second, "box", {});
    host->add("web", obeys_after(1s));
    host->drain();
    EXPECT_FALSE(host->up(box));
    EXPECT_EQ(host->outcome(box), Outcome::shut_down);
    EXPECT_TRUE(host->on_list(box));
}

TEST_F(Trouble, one_frozen_uri_does_not_hold_the_others) {
    sim::UriModel frozen;
    frozen.uri = "lxc:///system";
    const auto second = host->world.add_uri(frozen);
    const auto box = host->add(second, "box", {});
    const auto web = host->add("web", obeys_after(2s));
    up_and_running();
    host->world.freeze(second, host->now(), kNever);
    host->drain();
    EXPECT_EQ(host->outcome(web), Outcome::shut_down);
    EXPECT_LE(*host->truth(web).down - host->last_run().started, 3s);
    EXPECT_EQ(host->outcome(box), Outcome::failed);
}

}  // namespace
}  // namespace guestd::testing
