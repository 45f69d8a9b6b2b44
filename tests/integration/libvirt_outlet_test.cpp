// SPDX-License-Identifier: LGPL-2.1-or-later
/// The order in which things are told, and libvirt's numbers and XML in our words. No libvirtd.

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <unordered_set>
#include <vector>

#include "libvirt/mapping.hpp"
#include "libvirt/observe.hpp"
#include "libvirt/outlet.hpp"

namespace guestd::libvirt {
namespace {

const Uuid kGuest = Uuid::parse("00000000-0000-4000-8000-000000000001").value();
const Uuid kOther = Uuid::parse("00000000-0000-4000-8000-000000000002").value();

class OutletTest : public ::testing::Test {
protected:
    std::vector<Event> told_;
    Outlet outlet_{UriId{3}, [this](Event event) { told_.push_back(std::move(event)); }};

    template <class E>
    const E& told(std::size_t index) {
        return std::get<E>(told_.at(index));
    }
    void list(std::vector<GuestInfo> guests) {
        outlet_.begin_listing();
        outlet_.publish({.guests = std::move(guests)});
        told_.clear();
    }
    CallReturned reading(GuestState state) {
        return {.id = 1,
                .guest = {UriId{3}, kGuest},
                .observed = GuestInfo{.uuid = kGuest, .state = state}};
    }
};

TEST_F(OutletTest, EventsWaitForTheListingAndFollowIt) {
    outlet_.begin_listing();
    outlet_.guest_changed(kGuest, Lifecycle::shut_down, "guest");
    outlet_.agent_changed(kOther, true);
    EXPECT_TRUE(told_.empty());
    outlet_.publish({.guests = {{.uuid = kGuest, .state = GuestState::running}}});
    ASSERT_EQ(told_.size(), 3U);
    EXPECT_EQ(told<InventoryListed>(0).uri, UriId{3});
    EXPECT_EQ(told<GuestChanged>(1).what, Lifecycle::shut_down);
    EXPECT_TRUE(told<GuestChanged>(1).persistent);
    EXPECT_TRUE(told<AgentChanged>(2).connected);
    outlet_.guest_changed(kGuest, Lifecycle::booted, "guest");
    EXPECT_EQ(told_.size(), 4U);
}

TEST_F(OutletTest, WhatChangesDuringAListingIsLookedAtAfterIt) {
    outlet_.begin_listing();
    outlet_.look_again(kGuest);
    outlet_.publish({.guests = {{.uuid = kGuest, .name = "guest", .memory = Bytes{1}}}});
    ASSERT_EQ(told_.size(), 2U);
    EXPECT_EQ(told<GuestChanged>(1).what, Lifecycle::defined);
    EXPECT_EQ(told<GuestChanged>(1).guest.uuid, kGuest);
    EXPECT_TRUE(outlet_.known(kGuest)->stale);
}

TEST_F(OutletTest, AutostartFlagsAreToldWhenTheyDifferOrSomebodyAsks) {
    list({{.uuid = kGuest, .name = "guest"}, {.uuid = kOther, .autostart = true}});
    outlet_.autostart_read(std::unordered_set{kOther}, false);
    EXPECT_TRUE(told_.empty());
    outlet_.autostart_read(std::unordered_set{kOther}, true);
    EXPECT_EQ(told<AutostartListed>(0).flagged, std::vector{kOther});
    EXPECT_TRUE(told<AutostartListed>(0).answers);
    outlet_.autostart_read(std::unordered_set{kGuest}, false);
    EXPECT_EQ(told<AutostartListed>(1).flagged, std::vector{kGuest});
    EXPECT_EQ(told<AutostartListed>(1).uri, UriId{3});
    EXPECT_FALSE(told<AutostartListed>(1).answers);
    // What cannot be read is as it was.
    outlet_.autostart_read(std::nullopt, false);
    ASSERT_EQ(told_.size(), 2U);
    outlet_.autostart_read(std::nullopt, true);
    EXPECT_EQ(told<AutostartListed>(2).flagged, std::vector{kGuest});
}

TEST_F(OutletTest, AReadingFromBeforeAFlagChangedIsNotTold) {
    list({{.uuid = kGuest, .name = "guest"}});
    const auto mark = outlet_.mark(kGuest);
    outlet_.autostart_read(std::unordered_set<Uuid>{}, false);
    EXPECT_TRUE(outlet_.post(reading(GuestState::shutoff), mark));
    outlet_.autostart_read(std::unordered_set{kGuest}, false);
    EXPECT_FALSE(outlet_.post(reading(GuestState::shutoff), mark));
    // One from afterwards tells, and is what the next flags are compared with.
    EXPECT_TRUE(outlet_.post(reading(GuestState::shutoff), outlet_.mark(kGuest)));
    told_.clear();
    outlet_.autostart_read(std::unordered_set{kGuest}, false);
    EXPECT_EQ(told_.size(), 1U);
}

TEST_F(OutletTest, AListingThatFailedTakesItsEventsAlong) {
    outlet_.begin_listing();
    outlet_.guest_changed(kGuest, Lifecycle::booted, "guest");
    outlet_.lost("gone");
    outlet_.begin_listing();
    outlet_.publish({});
    ASSERT_EQ(told_.size(), 2U);
    EXPECT_EQ(told<UriLost>(0).reason, "gone");
    EXPECT_TRUE(std::holds_alternative<InventoryListed>(told_[1]));
}

TEST_F(OutletTest, AnOutageIsToldOnce) {
    outlet_.lost("a");
    outlet_.lost("b");
    ASSERT_EQ(told_.size(), 1U);
    outlet_.begin_listing();
    outlet_.publish({});
    outlet_.lost("c");
    EXPECT_EQ(told<UriLost>(2).reason, "c");
}

TEST_F(OutletTest, AReadingThatAnEventOvertookIsNotTold) {
    list({{.uuid = kGuest, .state = GuestState::running}});
    const auto mark = outlet_.mark(kGuest);
    outlet_.guest_changed(kGuest, Lifecycle::shut_down, "guest");
    EXPECT_FALSE(outlet_.post(reading(GuestState::running), mark));
    EXPECT_EQ(told_.size(), 1U);
    EXPECT_TRUE(outlet_.post(reading(GuestState::shutoff), outlet_.mark(kGuest)));
    EXPECT_EQ(told<CallReturned>(1).observed->state, GuestState::shutoff);
}

TEST_F(OutletTest, OtherGuestsEventsDoNotMatter) {
    list({{.uuid = kGuest}, {.uuid = kOther}});
    const auto mark = outlet_.mark(kGuest);
    outlet_.guest_changed(kOther, Lifecycle::booted, "other");
    EXPECT_TRUE(outlet_.post(reading(GuestState::running), mark));
}

TEST_F(OutletTest, AReadingFromBeforeAListingIsNotTold) {
    const auto mark = outlet_.mark(kGuest);
    list({{.uuid = kGuest, .state = GuestState::shutoff}});
    EXPECT_FALSE(outlet_.post(reading(GuestState::running), mark));
}

TEST_F(OutletTest, AGuestThatCameAndWentOvertakesToo) {
    list({});
    const auto mark = outlet_.mark(kGuest);
    outlet_.guest_changed(kGuest, Lifecycle::booted, "fleeting");
    outlet_.guest_changed(kGuest, Lifecycle::destroyed, "fleeting");
    EXPECT_FALSE(told<GuestChanged>(1).persistent);
    EXPECT_FALSE(outlet_.known(kGuest));
    EXPECT_FALSE(outlet_.post(reading(GuestState::running), mark));
}

TEST_F(OutletTest, RemembersWhatItWasTold) {
    list({{.uuid = kGuest,
           .name = "guest",
           .state = GuestState::running,
           .memory = Bytes{1},
           .metadata = "<p/>"},
          {.uuid = kOther}});
    EXPECT_EQ(outlet_.known(kOther)->memory, Bytes{});
    EXPECT_FALSE(outlet_.known(kOther)->stale);
    EXPECT_EQ(outlet_.known(kGuest)->metadata, "<p/>");
    EXPECT_FALSE(outlet_.known(kGuest)->stale);
    outlet_.agent_changed(kGuest, true);
    EXPECT_TRUE(outlet_.known(kGuest)->agent_connected);
    outlet_.guest_changed(kGuest, Lifecycle::shut_down, "guest");
    EXPECT_FALSE(outlet_.known(kGuest)->agent_connected);
    EXPECT_TRUE(outlet_.known(kGuest)->agent_channel);
    outlet_.look_again(kGuest);
    EXPECT_TRUE(outlet_.known(kGuest)->stale);
    EXPECT_EQ(told<GuestChanged>(2).what, Lifecycle::defined);
}

TEST_F(OutletTest, KnowsWhoHasRunWithoutAnImage) {
    list({{.uuid = kGuest, .name = "guest", .state = GuestState::running},
          {.uuid = kOther, .state = GuestState::running, .managed_save = true}});
    EXPECT_TRUE(outlet_.known(kGuest)->runs_without_image);
    EXPECT_FALSE(outlet_.known(kOther)->runs_without_image);
    outlet_.guest_changed(kGuest, Lifecycle::shut_down, "guest");
    EXPECT_TRUE(outlet_.known(kGuest)->runs_without_image);
    ASSERT_TRUE(outlet_.post(reading(GuestState::shutoff), outlet_.mark(kGuest)));
    EXPECT_FALSE(outlet_.known(kGuest)->runs_without_image);
}

TEST_F(OutletTest, AStartMayLeaveAnImage) {
    list({{.uuid = kGuest, .name = "guest", .state = GuestState::running}});
    outlet_.guest_changed(kGuest, Lifecycle::restored, "guest");
    EXPECT_FALSE(outlet_.known(kGuest)->runs_without_image);
    ASSERT_TRUE(outlet_.post(reading(GuestState::running), outlet_.mark(kGuest), Depth::least));
    EXPECT_FALSE(outlet_.known(kGuest)->runs_without_image);
    ASSERT_TRUE(outlet_.post(reading(GuestState::running), outlet_.mark(kGuest)));
    EXPECT_TRUE(outlet_.known(kGuest)->runs_without_image);
}

TEST_F(OutletTest, AProbeOfAGuestThatWentDownByItselfIsAnsweredByItsEvent) {
    const Call probe{.id = 9, .guest = {UriId{3}, kGuest}, .kind = CallKind::probe};
    list({{.uuid = kGuest,
           .name = "guest",
           .state = GuestState::running,
           .autostart = true,
           .memory = Bytes{7},
           .metadata = "<x/>"}});
    EXPECT_FALSE(outlet_.answer(probe));  // runs
    outlet_.guest_changed(kGuest, Lifecycle::shut_down, "guest");
    ASSERT_TRUE(outlet_.answer(probe));
    const auto& answer = told<CallReturned>(1);
    EXPECT_EQ(answer.id, 9U);
    EXPECT_EQ(answer.status, CallStatus::done);
    const GuestInfo& observed = answer.observed.value();
    EXPECT_EQ(observed.state, GuestState::shutoff);
    EXPECT_EQ(observed.name, "guest");
    EXPECT_TRUE(observed.persistent);
    EXPECT_TRUE(observed.autostart);
    EXPECT_FALSE(observed.managed_save);
    EXPECT_EQ(observed.memory, Bytes{7});
    EXPECT_EQ(observed.metadata, "<x/>");
    EXPECT_FALSE(outlet_.answer(probe));  // who asks again wants to hear it from libvirt
    EXPECT_EQ(told_.size(), 2U);
}

TEST_F(OutletTest, AProbeThatAnEventDoesNotAnswerIsForLibvirt) {
    const auto answers = [&](const auto& happens, GuestInfo guest = {}) {
        guest.uuid = kGuest;
        guest.state = GuestState::running;
        list({guest});
        happens();
        return outlet_.answer({.id = 1, .guest = {UriId{3}, kGuest}, .kind = CallKind::probe});
    };
    const auto change = [&](Lifecycle what) { outlet_.guest_changed(kGuest, what, "guest"); };
    const auto down = [&] { change(Lifecycle::shut_down); };
    EXPECT_TRUE(answers(down));
    EXPECT_FALSE(answers([&] { change(Lifecycle::saved); }));
    EXPECT_FALSE(answers([&] { change(Lifecycle::destroyed); }));
    EXPECT_FALSE(answers([&] { change(Lifecycle::shutting_down); }));
    EXPECT_FALSE(answers([&] { down(), change(Lifecycle::booted); }));
    EXPECT_FALSE(answers([&] { down(), change(Lifecycle::defined); }));
    EXPECT_FALSE(answers([&] { down(), outlet_.look_again(kGuest); }));
    EXPECT_FALSE(answers([&] { change(Lifecycle::restored), down(); }));  // may have an image
    EXPECT_FALSE(answers([&] { down(), outlet_.lost("gone"); }));
    // Our own start may have got half way, and its call may end without a word.
    EXPECT_FALSE(answers([&] {
        down();
        outlet_.answer({.id = 2, .guest = {UriId{3}, kGuest}, .kind = CallKind::start});
    }));
    EXPECT_FALSE(answers([&] { down(), outlet_.begin_listing(); }));
    EXPECT_FALSE(answers(down, {.persistent = false}));
    EXPECT_FALSE(answers(down, {.managed_save = true}));
    // What comes during a listing may be older than it.
    EXPECT_FALSE(answers([&] {
        outlet_.begin_listing();
        down();
        outlet_.publish({.guests = {{.uuid = kGuest, .state = GuestState::running}}});
    }));
}

TEST_F(OutletTest, AnEndIsNotBelievedWhileTheStartBeforeItIsUntold) {
    const Call probe{.id = 9, .guest = {UriId{3}, kGuest}, .kind = CallKind::probe};
    list({{.uuid = kGuest, .name = "guest", .state = GuestState::shutoff}});
    ASSERT_TRUE(outlet_.post(reading(GuestState::running), outlet_.mark(kGuest)));
    outlet_.guest_changed(kGuest, Lifecycle::shut_down, "guest");  // of an earlier life
    EXPECT_FALSE(outlet_.answer(probe));
    outlet_.guest_changed(kGuest, Lifecycle::booted, "guest");
    ASSERT_TRUE(outlet_.post(reading(GuestState::running), outlet_.mark(kGuest)));
    outlet_.guest_changed(kGuest, Lifecycle::shut_down, "guest");
    EXPECT_TRUE(outlet_.answer(probe));
}

TEST_F(OutletTest, WhoHasGoneWithoutAnEventIsLookedAtOnce) {
    const Uuid up = Uuid::parse("00000000-0000-4000-8000-000000000003").value();
    const Uuid off = Uuid::parse("00000000-0000-4000-8000-000000000004").value();
    list({{.uuid = kGuest, .state = GuestState::running},
          {.uuid = kOther, .state = GuestState::running, .persistent = false},
          {.uuid = up, .state = GuestState::paused},
          {.uuid = off, .state = GuestState::shutoff}});
    EXPECT_TRUE(outlet_.active_read(outlet_.now(), {up}));
    EXPECT_TRUE(told_.empty()) << "their events may be under way";
    const Uuid passing = Uuid::parse("00000000-0000-4000-8000-000000000005").value();
    outlet_.guest_changed(passing, Lifecycle::booted, "passing");
    outlet_.guest_changed(passing, Lifecycle::shut_down, "passing");
    told_.clear();
    EXPECT_FALSE(outlet_.active_read(outlet_.now(), {up}));
    ASSERT_EQ(told_.size(), 2U);
    for (const auto& event : told_) {
        const auto& told = std::get<GuestChanged>(event);
        EXPECT_EQ(told.what, told.guest.uuid == kGuest ? Lifecycle::defined : Lifecycle::stopped);
    }
    EXPECT_TRUE(outlet_.known(kGuest)->stale);
    EXPECT_FALSE(outlet_.active_read(outlet_.now(), {up}));
    EXPECT_EQ(told_.size(), 2U);
}

TEST_F(OutletTest, WhoHasChangedSinceIsNotLookedAt) {
    list({{.uuid = kGuest, .state = GuestState::running},
          {.uuid = kOther, .state = GuestState::shutoff}});
    const auto seen = outlet_.now();
    outlet_.guest_changed(kOther, Lifecycle::booted, "other");
    EXPECT_TRUE(outlet_.active_read(seen, {}));
    outlet_.guest_changed(kGuest, Lifecycle::saved, "guest");
    EXPECT_TRUE(outlet_.active_read(outlet_.now(), {})) << "the other one, for the first time";
    EXPECT_EQ(told_.size(), 2U) << "no more than the events";
    list({{.uuid = kOther, .state = GuestState::running}});
    EXPECT_FALSE(outlet_.active_read(seen, {})) << "read before the listing";
    EXPECT_TRUE(told_.empty());
}

TEST_F(OutletTest, AnAgentEventBeatsTheXml) {
    list({{.uuid = kGuest, .state = GuestState::running}});
    const auto mark = outlet_.mark(kGuest);
    outlet_.agent_changed(kGuest, true);
    outlet_.agent_found(kGuest, mark, false);
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_TRUE(outlet_.known(kGuest)->agent_connected);
    outlet_.agent_found(kGuest, outlet_.mark(kGuest), false);
    EXPECT_FALSE(told<AgentChanged>(1).connected);
}

TEST_F(OutletTest, ClosedItTellsNothing) {
    outlet_.close();
    outlet_.lost("x");
    outlet_.begin_listing();
    outlet_.guest_changed(kGuest, Lifecycle::booted, "guest");
    outlet_.publish({});
    outlet_.guest_changed(kGuest, Lifecycle::booted, "guest");
    outlet_.agent_changed(kGuest, true);
    outlet_.post(reading(GuestState::running));
    outlet_.post(reading(GuestState::running), outlet_.mark(kGuest));
    outlet_.post(SaveProgressed{});
    EXPECT_TRUE(told_.empty());
}

TEST(LibvirtMapping, States) {
    EXPECT_EQ(state_of(VIR_DOMAIN_RUNNING), GuestState::running);
    EXPECT_EQ(state_of(VIR_DOMAIN_BLOCKED), GuestState::running);
    EXPECT_EQ(state_of(VIR_DOMAIN_PAUSED), GuestState::paused);
    EXPECT_EQ(state_of(VIR_DOMAIN_SHUTDOWN), GuestState::shutting_down);
    EXPECT_EQ(state_of(VIR_DOMAIN_SHUTOFF), GuestState::shutoff);
    EXPECT_EQ(state_of(VIR_DOMAIN_CRASHED), GuestState::crashed);
    EXPECT_EQ(state_of(VIR_DOMAIN_PMSUSPENDED), GuestState::pmsuspended);
    EXPECT_TRUE(is_paused_for_save(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE));
    EXPECT_FALSE(is_paused_for_save(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER));
    EXPECT_FALSE(is_paused_for_save(VIR_DOMAIN_RUNNING, VIR_DOMAIN_PAUSED_SAVE));
    EXPECT_TRUE(is_starting(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP));
    EXPECT_FALSE(is_starting(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER));
    EXPECT_FALSE(is_starting(VIR_DOMAIN_RUNNING, VIR_DOMAIN_PAUSED_STARTING_UP));
}

TEST(LibvirtMapping, Lifecycles) {
    using L = Lifecycle;
    const auto started = [](int detail) { return lifecycle_of(VIR_DOMAIN_EVENT_STARTED, detail); };
    const auto stopped = [](int detail) { return lifecycle_of(VIR_DOMAIN_EVENT_STOPPED, detail); };
    EXPECT_EQ(started(VIR_DOMAIN_EVENT_STARTED_BOOTED), L::booted);
    EXPECT_EQ(started(VIR_DOMAIN_EVENT_STARTED_RESTORED), L::restored);
    EXPECT_EQ(started(VIR_DOMAIN_EVENT_STARTED_MIGRATED), L::started);
    EXPECT_EQ(stopped(VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN), L::shut_down);
    EXPECT_EQ(stopped(VIR_DOMAIN_EVENT_STOPPED_SAVED), L::saved);
    EXPECT_EQ(stopped(VIR_DOMAIN_EVENT_STOPPED_DESTROYED), L::destroyed);
    EXPECT_EQ(stopped(VIR_DOMAIN_EVENT_STOPPED_CRASHED), L::crashed);
    EXPECT_EQ(stopped(VIR_DOMAIN_EVENT_STOPPED_MIGRATED), L::migrated);
    EXPECT_EQ(stopped(VIR_DOMAIN_EVENT_STOPPED_FAILED), L::crashed);
    EXPECT_EQ(stopped(7), L::started);  // recreated: not a stop
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_SHUTDOWN, 0), L::shutting_down);
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_SUSPENDED, 0), L::suspended);
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_SUSPENDED, 9), L::shutting_down);
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_RESUMED, 0), L::resumed);
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_PMSUSPENDED, 0), L::pmsuspended);
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_CRASHED, 0), std::nullopt);
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_DEFINED, 1), L::defined);
    EXPECT_EQ(lifecycle_of(VIR_DOMAIN_EVENT_UNDEFINED, 0), L::undefined);
    EXPECT_EQ(lifecycle_of(99, 0), std::nullopt);
}

TEST(LibvirtXml, FindsMemoryAndAgent) {
    const auto facts = parse_domain_xml(R"(<domain type='kvm'><memory unit='KiB'>1024</memory>
        <devices><channel type='unix'><target type='virtio' name='other' state='connected'/>
        </channel><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'
        state='disconnected'/></channel></devices></domain>)");
    EXPECT_EQ(facts.memory, Bytes{1 << 20});
    EXPECT_TRUE(facts.agent_channel);
    EXPECT_FALSE(facts.agent_connected);
    EXPECT_TRUE(parse_domain_xml("<domain><devices><channel><target "
                                 "name='org.qemu.guest_agent.0' state='connected'/></channel>"
                                 "</devices></domain>")
                    .agent_connected);
    EXPECT_FALSE(parse_domain_xml("<domain><devices/></domain>").agent_channel);
    EXPECT_FALSE(parse_domain_xml("no xml <<").agent_channel);
}

}  // namespace
}  // namespace guestd::libvirt
