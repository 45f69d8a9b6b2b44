// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The model hypervisor itself: its limits and locks must be libvirt's, or every test above it
// proves the wrong thing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.hpp"

namespace guestd::sim {
namespace {

using ::testing::SizeIs;
using enum CallKind;

struct Server : ::testing::Test {
    World world;
    UriId uri{};
    CallId last = 0;
    std::vector<std::pair<TimePoint, Event>> told;

    void SetUp() override { uri = world.add_uri(UriModel{.keepalive = 0s, .reconnect = 0s}); }
    GuestId add(GuestModel model = {}) {
        model.name = "g";
        return world.add_guest(uri, std::move(model));
    }
    CallId call(const GuestId& guest, CallKind kind) {
        world.submit(Call{.id = ++last, .guest = guest, .kind = kind});
        return last;
    }
    void run_until(TimePoint limit) {
        while (world.clock().next() <= limit) {
            world.clock().run_next();
            for (auto& event : world.take_events())
                told.emplace_back(world.clock().now(), std::move(event));
        }
        world.clock().advance_to(limit);
    }
    void run_for(Duration time) { run_until(world.clock().now() + time); }
    void connect() {
        world.connect_client();
        run_for(10ms);
    }
    template <class T>
    std::vector<std::pair<TimePoint, T>> all() const {
        std::vector<std::pair<TimePoint, T>> found;
        for (const auto& [at, event] : told)
            if (const auto* wanted = std::get_if<T>(&event))
                found.emplace_back(at, *wanted);
        return found;
    }
    std::optional<CallReturned> returned(CallId id) const {
        for (const auto& [at, event] : all<CallReturned>())
            if (event.id == id)
                return event;
        return std::nullopt;
    }
    std::optional<TimePoint> returned_at(CallId id) const {
        for (const auto& [at, event] : all<CallReturned>())
            if (event.id == id)
                return at;
        return std::nullopt;
    }
};

TEST_F(Server, a_connection_begins_with_a_listing) {
    add();
    add(GuestModel{.state = GuestState::shutoff});
    connect();
    ASSERT_THAT(all<InventoryListed>(), SizeIs(1));
    EXPECT_THAT(all<InventoryListed>()[0].second.guests, SizeIs(2));
}

TEST_F(Server, the_button_returns_at_once_and_the_guest_goes_later) {
    const auto guest = add();
    connect();
    const auto id = call(guest, shutdown_acpi);
    run_for(1s);
    EXPECT_EQ(returned(id)->status, CallStatus::done);
    EXPECT_EQ(world.truth(guest).state, GuestState::running);
    run_for(2s);
    EXPECT_EQ(world.truth(guest).state, GuestState::shutoff);
    EXPECT_EQ(all<GuestChanged>().back().second.what, Lifecycle::shut_down);
}

TEST_F(Server, saves_share_the_disk) {
    const auto one = add(GuestModel{.memory = Bytes{1ULL << 30}});
    const auto two = add(GuestModel{.memory = Bytes{2ULL << 30}});
    connect();
    const auto first = call(one, save);
    const auto second = call(two, save);
    const auto begun = world.clock().now();
    run_for(10s);
    EXPECT_NEAR(static_cast<double>((*returned_at(first) - begun).count()), 2.2e6, 1e4);
    EXPECT_NEAR(static_cast<double>((*returned_at(second) - begun).count()), 3.2e6, 1e4);
    EXPECT_TRUE(world.truth(one).managed_save);
}

TEST_F(Server, a_second_modifying_call_waits_for_the_job_lock_and_fails_after_30_s) {
    const auto guest = add(GuestModel{.memory = Bytes{100ULL << 30}});
    connect();
    call(guest, save);
    const auto begun = world.clock().now();
    const auto second = call(guest, shutdown_acpi);
    run_for(40s);
    EXPECT_EQ(returned(second)->status, CallStatus::refused);
    EXPECT_NEAR(static_cast<double>((*returned_at(second) - begun).count()), 30e6, 1e4);
}

TEST_F(Server, a_destroy_needs_no_lock_and_ends_the_save) {
    const auto guest = add(GuestModel{.memory = Bytes{100ULL << 30}});
    connect();
    const auto saving = call(guest, save);
    run_for(1s);
    const auto id = call(guest, destroy_graceful);
    run_for(1s);
    EXPECT_EQ(returned(id)->status, CallStatus::done);
    EXPECT_EQ(returned(saving)->status, CallStatus::refused);
    EXPECT_FALSE(world.truth(guest).managed_save);
}

TEST_F(Server, an_aborted_save_leaves_the_guest_as_it_was) {
    const auto guest = add(GuestModel{.memory = Bytes{100ULL << 30}});
    connect();
    const auto saving = call(guest, save);
    run_for(1s);
    EXPECT_EQ(world.truth(guest).state, GuestState::paused);
    call(guest, abort_job);
    run_for(1s);
    EXPECT_EQ(returned(saving)->status, CallStatus::aborted);
    EXPECT_EQ(world.truth(guest).state, GuestState::running);
}

TEST_F(Server, twenty_workers_full_of_saves_keep_an_abort_waiting_but_not_a_destroy) {
    std::vector<GuestId> guests;
    for (int i = 0; i < 21; ++i)
        guests.push_back(add(GuestModel{.memory = Bytes{10ULL << 30}}));
    connect();
    for (int i = 0; i < 20; ++i)
        call(guests[static_cast<std::size_t>(i)], save);
    const auto aborted = call(guests[0], abort_job);
    const auto destroyed = call(guests[20], destroy_graceful);
    run_for(5s);
    EXPECT_FALSE(returned(aborted));
    EXPECT_TRUE(returned(destroyed));
}

TEST_F(Server, a_frozen_libvirt_answers_when_it_thaws) {
    const auto guest = add();
    connect();
    world.freeze(uri, world.clock().now(), world.clock().now() + 1min);
    const auto thaw = world.clock().now() + 1min;
    const auto id = call(guest, probe);
    run_for(2min);
    EXPECT_GE(*returned_at(id), thaw);
}

TEST_F(Server, keepalive_gives_a_frozen_libvirt_up_and_its_calls_are_unknown) {
    const auto other = world.add_uri(UriModel{.uri = "lxc:///", .reconnect = 0s});
    GuestModel model;
    model.name = "box";
    const auto guest = world.add_guest(other, model);
    connect();
    world.freeze(other, world.clock().now(), kNever);
    const auto id = call(guest, shutdown_acpi);
    run_for(1min);
    EXPECT_THAT(all<UriLost>(), SizeIs(1));
    EXPECT_EQ(returned(id)->status, CallStatus::unknown);
}

TEST_F(Server, a_dying_daemon_undoes_a_save_a_broken_connection_does_not) {
    const auto undone = add(GuestModel{.memory = Bytes{20ULL << 30}});
    connect();
    const auto id = call(undone, save);
    run_for(1s);
    world.kill_daemon(uri, world.clock().now(), world.clock().now() + 5s);
    run_for(1min);
    EXPECT_EQ(returned(id)->status, CallStatus::unknown);
    EXPECT_EQ(world.truth(undone).state, GuestState::running);
    call(undone, save);
    run_for(1s);
    world.cut(uri, world.clock().now(), world.clock().now() + 1s);
    run_for(1min);
    EXPECT_TRUE(world.truth(undone).managed_save);
    EXPECT_THAT(all<InventoryListed>(), SizeIs(3));
}

TEST_F(Server, what_a_dead_client_asked_for_is_done_and_told_to_nobody) {
    const auto guest = add();
    connect();
    const auto id = call(guest, shutdown_acpi);
    run_for(1ms);
    world.client_died();
    run_for(10s);
    EXPECT_EQ(world.truth(guest).state, GuestState::shutoff);
    EXPECT_FALSE(returned(id));
}

TEST_F(Server, a_power_cycle_takes_every_guest_and_no_image) {
    const auto up = add();
    const auto saved = add();
    connect();
    call(saved, save);
    run_for(5s);
    world.power_cycle();
    EXPECT_FALSE(is_active(world.truth(up).state));
    EXPECT_TRUE(world.truth(saved).managed_save);
}

TEST_F(Server, events_are_lost_or_doubled_by_chance_and_the_same_chance_each_time) {
    const auto count_events = [](std::uint64_t seed) {
        World faulty{seed};
        const auto only = faulty.add_uri(
            UriModel{.reconnect = 0s, .faults = {.lost = 0.5, .doubled = 0.5, .delay = 1s}});
        for (int i = 0; i < 100; ++i)
            faulty.add_guest(only, GuestModel{});
        faulty.connect_client();
        std::size_t events = 0;
        while (faulty.clock().next() < TimePoint{1min}) {
            faulty.clock().run_next();
            for (const auto& event : faulty.take_events()) {
                events += std::holds_alternative<GuestChanged>(event) ? 1U : 0U;
                if (std::holds_alternative<InventoryListed>(event))
                    for (const auto& guest : faulty.guests())
                        faulty.stop_by_hand(guest);
            }
        }
        return events;
    };
    EXPECT_EQ(count_events(7), count_events(7));
    EXPECT_NE(count_events(7), count_events(8));
    EXPECT_NEAR(static_cast<double>(count_events(7)), 75, 20);
}

}  // namespace
}  // namespace guestd::sim
