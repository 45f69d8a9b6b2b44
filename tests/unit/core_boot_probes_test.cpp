// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Spec 4.3: when a guest is ready. Each probe is seen to hold the dependents until it holds, and no
// longer; none of them holds longer than ready_timeout.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using enum CallKind;

struct Ready : ::testing::Test {
    Host host;
    GuestId db;
    GuestId web;  ///< starts when db is ready
    /// `after`: from db's start call until web's.
    Duration wait_of(GuestModel model, std::vector<Probe> probes) {
        model.state = GuestState::shutoff;
        model.start_time = 1s;
        db = host.add("db", model);
        web = host.add("web", stopped());
        host.list(db);
        host.list(web);
        host.policy->of("db").start.ready = std::move(probes);
        host.policy->of("web").start.ready = {};
        host.policy->of("web").requires_ = {"db"};
        host.boot();
        return host.asked_at(web, start) - host.asked_at(db, start);
    }
};

GuestModel boots_in(Duration time) {
    GuestModel model;
    model.boot_time = time;
    return model;
}

TEST_F(Ready, a_connected_agent_that_does_not_answer_is_not_ready) {
    auto model = boots_in(10s);
    model.agent = sim::Agent::hangs;
    host.policy->of("db").start.ready_timeout = 1min;
    expect_seconds(wait_of(model, {Probe{.kind = ProbeKind::agent}}), 61);
    EXPECT_THAT(host.cause(db), HasSubstr("agent (connected, does not answer"));
}

TEST_F(Ready, an_agent_that_answers_is_ready_when_it_connects) {
    auto model = boots_in(10s);
    model.agent = sim::Agent::answers;
    expect_seconds(wait_of(model, {Probe{.kind = ProbeKind::agent}}), 11);
}

TEST_F(Ready, io_settle_is_the_rate_below_the_limit_for_long_enough) {
    const Probe probe{.kind = ProbeKind::io_settle, .span = 5s, .rate = Bytes{1 << 20}};
    expect_seconds(wait_of(boots_in(20s), {probe}), 26);
}

TEST_F(Ready, a_guest_that_gets_no_processor_has_not_settled) {
    const Probe probe{.kind = ProbeKind::io_settle, .span = 5s, .rate = Bytes{1 << 20}};
    auto model = boots_in(20s);
    model.starved_after = 10s;
    model.starved_for = 30s;
    expect_seconds(wait_of(model, {probe}), 56);
}

TEST_F(Ready, a_guest_whose_disks_never_rest_is_waited_for_until_the_cap) {
    auto model = boots_in(5s);
    model.never_rests = true;
    const Probe probe{.kind = ProbeKind::io_settle, .span = 5s, .rate = Bytes{1 << 20}};
    expect_seconds(wait_of(model, {probe}), 121);
    EXPECT_THAT(host.cause(db), HasSubstr("io-settle (20480 KiB/s)"));
}

TEST_F(Ready, a_driver_without_block_statistics_is_not_waited_for) {
    auto model = boots_in(5s);
    model.has_io = false;
    const Probe probe{.kind = ProbeKind::io_settle, .span = 5s, .rate = Bytes{1 << 20}};
    expect_seconds(wait_of(model, {probe}), 1);
}

TEST_F(Ready, without_an_agent_channel_agent_means_io_settle_and_is_said) {
    expect_seconds(wait_of(boots_in(20s), {Probe{.kind = ProbeKind::agent}}), 26);
    EXPECT_THAT(host.notices(NoticeKind::remark), Contains(HasSubstr("no agent channel")));
}

TEST_F(Ready, tcp_with_a_host_is_ready_when_somebody_listens) {
    auto model = boots_in(5s);
    model.serves_after = 17s;
    expect_seconds(
        wait_of(model, {Probe{.kind = ProbeKind::tcp, .target = "192.0.2.9", .port = 5432}}), 18);
}

TEST_F(Ready, tcp_without_a_host_asks_for_the_guests_address_first) {
    auto model = boots_in(8s);
    model.serves_after = 3s;
    expect_seconds(wait_of(model, {Probe{.kind = ProbeKind::tcp, .port = 22}}), 9);
    const auto watches = host.commands<Watch>();
    ASSERT_EQ(watches.size(), 1U);
    EXPECT_EQ(std::get<Probe>(watches[0].second.what).target, "192.0.2.1");
}

TEST_F(Ready, address_is_ready_when_it_has_one) {
    expect_seconds(wait_of(boots_in(9s), {Probe{.kind = ProbeKind::address}}), 11);
}

TEST_F(Ready, exec_is_ready_when_the_program_says_so) {
    auto model = boots_in(5s);
    model.serves_after = 12s;
    expect_seconds(wait_of(model, {Probe{.kind = ProbeKind::exec, .target = "/probe"}}), 13);
}

TEST_F(Ready, all_of_a_list_at_once) {
    auto model = boots_in(5s);
    model.serves_after = 12s;
    expect_seconds(wait_of(model, {Probe{.kind = ProbeKind::exec, .target = "/probe"},
                                   Probe{.kind = ProbeKind::delay, .span = 10s},
                                   Probe{.kind = ProbeKind::address}}),
                   13);
}

TEST_F(Ready, what_is_watched_is_let_go) {
    wait_of(boots_in(5s), {Probe{.kind = ProbeKind::exec, .target = "/probe"},
                           Probe{.kind = ProbeKind::io_settle, .span = 1s, .rate = Bytes{1}}});
    EXPECT_EQ(host.commands<Watch>().size(), 2U);
    EXPECT_EQ(host.commands<Unwatch>().size(), 2U);
}

TEST_F(Ready, the_time_it_took_is_remembered) {
    auto model = boots_in(5s);
    model.serves_after = 12s;
    wait_of(model, {Probe{.kind = ProbeKind::exec, .target = "/probe"}});
    const auto key = "boot.ready:qemu:///system " + db.uuid.str();
    ASSERT_TRUE(host.store.learned.contains(key));
    EXPECT_NEAR(host.store.learned.at(key), 13, 1.1);
}

TEST_F(Ready, status_says_what_a_guest_is_waited_for) {
    auto model = boots_in(30s);
    model.state = GuestState::shutoff;
    db = host.add("db", model);
    host.list(db);
    host.policy->of("db").start.ready = {Probe{.kind = ProbeKind::exec, .target = "/probe"}};
    host.start();
    host.run_for(5s);
    const auto progress = host.driver().machine().progress();
    ASSERT_EQ(progress.size(), 1U);
    EXPECT_EQ(progress[0].phase, "settling");
    EXPECT_EQ(progress[0].held_for, "exec:/probe (not there yet)");
}

struct Clock : Ready {
    GuestModel saved() {
        auto model = boots_in(5s);
        model.state = GuestState::shutoff;
        model.managed_save = true;
        model.agent = sim::Agent::answers;
        return model;
    }
    void boot(const GuestModel& model) {
        db = host.add("db", model);
        host.list(db, ResumeEntry{.expect_restore = true});
        host.boot();
        host.run_for(10min);
    }
};

TEST_F(Clock, of_a_restored_guest_is_set_when_its_agent_answers) {
    boot(saved());
    EXPECT_EQ(host.truth(db).clock_sets, 1U);
    EXPECT_THAT(host.notices(NoticeKind::remark), Contains(HasSubstr("its clock has been set")));
}

TEST_F(Clock, of_a_guest_that_booted_is_its_own_affair) {
    auto model = saved();
    model.managed_save = false;
    boot(model);
    EXPECT_EQ(host.truth(db).clock_sets, 0U);
}

TEST_F(Clock, is_left_alone_where_policy_says_so) {
    host.policy->guests.start.sync_time = false;
    boot(saved());
    EXPECT_EQ(host.truth(db).clock_sets, 0U);
}

TEST_F(Clock, is_tried_for_a_while_and_then_given_up_with_a_word) {
    auto model = saved();
    model.agent = sim::Agent::hangs;
    host.policy->guests.start.ready = {};
    boot(model);
    EXPECT_THAT(host.notices(NoticeKind::remark),
                Contains(HasSubstr("clock could not be set after the restore: guest agent is not "
                                   "responding")));
    const auto tries = std::ranges::count(host.asked(db), set_time);
    EXPECT_GT(tries, 3);
    EXPECT_LT(tries, 20);
    EXPECT_LE(host.took(db), 10s) << "nothing waits for it";
}

}  // namespace
}  // namespace guestd::testing
