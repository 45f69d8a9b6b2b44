// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Autostart flags that change while guestd runs: nothing but a reading tells of them.
#include "core_host.hpp"

namespace guestd::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const RunRequested kBoot{RunKind::boot, Trigger::manual, {}, {}};

/// This boot has had its boot run, and guestd has listed its guests.
struct Autostart : ::testing::Test {
    Host host;
    const GuestId web = host.add("web", stopped());
    const GuestId db = host.add("db", flagged());

    void SetUp() override {
        host.booted_before();
        host.start();
    }
    static GuestModel flagged() {
        auto model = stopped();
        model.autostart = true;
        return model;
    }
    /// As virsh does: no event.
    void flag(const GuestId& guest, bool flag) { host.world.model(guest).autostart = flag; }
    bool shown(const GuestId& guest) {
        for (const auto& uri : host.driver().machine().uris())
            for (const auto* info : uri.guests)
                if (info->uuid == guest.uuid)
                    return info->autostart;
        return false;
    }
    void boot(const RunRequested& request = kBoot) {
        host.driver().send(request);
        host.run_for(1s);
        host.finish();
    }
};

TEST_F(Autostart, flags_that_were_read_replace_all_of_their_uri) {
    EXPECT_FALSE(shown(web));
    EXPECT_TRUE(shown(db));
    host.driver().send(AutostartListed{host.uri, {web.uuid}});
    host.run_for(1s);
    EXPECT_TRUE(shown(web));
    EXPECT_FALSE(shown(db));
}

TEST(AutostartOfTwo, flags_of_one_uri_say_nothing_of_another) {
    Host host;
    sim::UriModel model;
    model.uri = "lxc:///system";
    const auto there = host.add(host.world.add_uri(model), "web", Autostart::flagged());
    host.booted_before();
    host.start();
    host.driver().send(AutostartListed{host.uri, {}});
    host.run_for(1s);
    EXPECT_TRUE(host.driver().machine().uris().at(1).guests.at(0)->autostart) << there.uuid.str();
}

TEST_F(Autostart, a_boot_by_hand_goes_by_the_flags_of_that_moment) {
    flag(web, true);
    flag(db, false);
    boot();
    EXPECT_TRUE(host.up(web));
    EXPECT_FALSE(host.up(db));
    EXPECT_THAT(host.commands<ListAutostart>(), SizeIs(1));
}

TEST_F(Autostart, guests_asked_for_by_name_need_no_flags) {
    boot({RunKind::boot, Trigger::manual, {}, {"web"}});
    EXPECT_TRUE(host.up(web));
    EXPECT_THAT(host.commands<ListAutostart>(), IsEmpty());
}

TEST_F(Autostart, a_host_boot_goes_by_the_listing_which_is_new) {
    host.reboot();
    host.boot();
    EXPECT_TRUE(host.up(db));
    EXPECT_THAT(host.commands<ListAutostart>(), IsEmpty());
}

TEST_F(Autostart, flags_that_were_read_before_the_run_began_are_no_answer) {
    flag(web, true);
    host.driver().send(kBoot);
    host.driver().send(AutostartListed{host.uri, {db.uuid}});
    host.run_for(1s);
    host.finish();
    EXPECT_TRUE(host.up(web));
}

TEST_F(Autostart, without_an_answer_the_flags_that_are_known_hold) {
    flag(web, true);
    host.world.freeze(host.uri, host.now(), host.now() + 10s);
    host.driver().send(kBoot);
    host.run_for(1900ms);
    EXPECT_THAT(host.commands<Call>(), IsEmpty());
    EXPECT_THAT(host.driver().machine().active_run()->waiting_for,
                ::testing::ElementsAre("qemu:///system: reading its autostart flags"));
    host.run_for(200ms);
    EXPECT_THAT(host.commands<Call>(), SizeIs(1)) << host.transcript();
    host.finish();
    EXPECT_TRUE(host.up(db));
    EXPECT_FALSE(host.up(web)) << "its flag came after the run had begun";
}

TEST_F(Autostart, a_uri_that_is_lost_while_they_are_read_has_its_turn_when_it_is_back) {
    flag(web, true);
    host.driver().send(kBoot);
    host.world.cut(host.uri, host.now(), host.now() + 5s);
    host.run_for(1s);
    EXPECT_THAT(host.commands<ListAutostart>(), SizeIs(1));
    host.finish();
    EXPECT_THAT(host.asked(web), SizeIs(1));
    EXPECT_THAT(host.asked(db), SizeIs(1));
    EXPECT_TRUE(host.up(web) && host.up(db));
}

TEST_F(Autostart, a_run_that_reads_them_lets_no_other_by) {
    host.world.freeze(host.uri, host.now(), host.now() + 10s);
    host.driver().send(kBoot);
    host.run_for(1s);
    EXPECT_TRUE(host.driver().machine().refusal({RunKind::boot, Trigger::manual, {}, {"web"}}));
    host.finish();
}

}  // namespace
}  // namespace guestd::testing
