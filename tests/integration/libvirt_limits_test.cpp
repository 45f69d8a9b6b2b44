// SPDX-License-Identifier: LGPL-2.1-or-later
/// How many calls and connections there are at once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "event_inbox.hpp"
#include "libvirt/hypervisor.hpp"
#include "private_libvirtd.hpp"

namespace guestd::test {
namespace {

using libvirt::LibvirtHypervisor;
using libvirt::Options;
using namespace std::chrono_literals;

/// Holds every call on its worker's thread until opened, and counts. Shared with those threads.
class Gate : public std::enable_shared_from_this<Gate> {
public:
    std::function<void(const Call&, bool)> hook() {
        return [self = shared_from_this()](const Call& call, bool begins) {
            begins ? self->enter(call) : self->leave();
        };
    }
    void open() {
        const std::lock_guard lock{mutex_};
        open_ = true;
        changed_.notify_all();
    }
    bool wait_inside(unsigned wanted) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, EventInbox::kPatience, [&] { return inside_ >= wanted; });
    }
    unsigned most() const {
        const std::lock_guard lock{mutex_};
        return most_;
    }
    std::vector<CallId> order() const {
        const std::lock_guard lock{mutex_};
        return order_;
    }

private:
    void enter(const Call& call) {
        std::unique_lock lock{mutex_};
        order_.push_back(call.id);
        most_ = std::max(most_, ++inside_);
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
    }
    void leave() {
        const std::lock_guard lock{mutex_};
        --inside_;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    unsigned inside_ = 0;
    unsigned most_ = 0;
    std::vector<CallId> order_;
};

class LibvirtLimits : public ::testing::Test {
protected:
    PrivateLibvirtd daemon_;
    EventInbox inbox_;
    std::shared_ptr<Gate> shared_gate_ = std::make_shared<Gate>();
    Gate& gate_ = *shared_gate_;
    std::unique_ptr<LibvirtHypervisor> hypervisor_;

    void connect(Options options) {
        options.uris = {daemon_.uri()};
        options.around_call = gate_.hook();
        hypervisor_ = std::make_unique<LibvirtHypervisor>(std::move(options), inbox_.sink());
        hypervisor_->start();
        ASSERT_TRUE(inbox_.take<InventoryListed>());
    }
    std::vector<Uuid> define(unsigned count) {
        std::vector<Uuid> guests;
        for (unsigned i = 0; i < count; ++i) {
            guests.push_back(daemon_.define("guest-" + std::to_string(i)));
        }
        return guests;
    }
    void submit(CallId id, const Uuid& uuid, CallKind kind) {
        hypervisor_->submit({.id = id, .guest = {UriId{0}, uuid}, .kind = kind});
    }
    void start_in_turn(const std::vector<Uuid>& guests) {
        for (CallId id = 1; id <= guests.size(); ++id) {
            submit(id, guests[id - 1], CallKind::start);
            ASSERT_TRUE(inbox_.take<CallReturned>());
        }
    }
    libvirt::UriStatus status() const { return hypervisor_->status().at(0); }
};

TEST_F(LibvirtLimits, AHundredStartsFourAtATime) {
    connect({.long_calls = 4});
    const auto guests = define(100);
    for (CallId id = 0; id < guests.size(); ++id) {
        submit(id + 1, guests[id], CallKind::start);
    }
    ASSERT_TRUE(gate_.wait_inside(4));
    EXPECT_EQ(status().workers, 4U);
    EXPECT_EQ(status().waiting, 96U);
    // Short calls get through all the same.
    submit(1000, guests[0], CallKind::probe);
    ASSERT_TRUE(gate_.wait_inside(5));
    gate_.open();
    for (unsigned i = 0; i < 101; ++i) {
        ASSERT_EQ(inbox_.take<CallReturned>().value().status, CallStatus::done);
    }
    EXPECT_EQ(gate_.most(), 5U);
}

TEST_F(LibvirtLimits, WaitingCallsBeginInOrder) {
    connect({.long_calls = 1});
    const auto guests = define(10);
    std::vector<CallId> submitted;
    for (CallId id = 1; id <= guests.size(); ++id) {
        submit(id, guests[id - 1], CallKind::start);
        submitted.push_back(id);
        if (id == 1) {
            ASSERT_TRUE(gate_.wait_inside(1));
        }
    }
    gate_.open();
    for (unsigned i = 0; i < guests.size(); ++i) {
        ASSERT_TRUE(inbox_.take<CallReturned>());
    }
    EXPECT_EQ(gate_.order(), submitted);
}

TEST_F(LibvirtLimits, TheListingTellsTheLimit) {
    Options options{.uris = {daemon_.uri()}, .long_calls = 7};
    LibvirtHypervisor hypervisor{options, inbox_.sink()};
    hypervisor.start();
    EXPECT_EQ(inbox_.take<InventoryListed>().value().long_calls, 7U);
}

TEST_F(LibvirtLimits, ReplacementsOfAbandonedCallsAreBounded) {
    connect({.long_calls = 2});
    const auto guests = define(12);
    for (CallId id = 1; id <= guests.size(); ++id) {
        submit(id, guests[id - 1], CallKind::start);
    }
    // Two at work, four more in place of abandoned ones; then only two are left to hang.
    for (CallId id = 1; id <= 4; ++id) {
        ASSERT_TRUE(gate_.wait_inside(static_cast<unsigned>(id) + 1));
        const auto begun = gate_.order();
        hypervisor_->abandon({begun.at(id - 1), {UriId{0}, guests[begun.at(id - 1) - 1]}});
    }
    ASSERT_TRUE(gate_.wait_inside(6));
    hypervisor_->abandon({gate_.order().at(4), {UriId{0}, guests[gate_.order().at(4) - 1]}});
    EXPECT_EQ(status().given_up, 5U);
    EXPECT_EQ(status().workers, 1U);
    EXPECT_EQ(status().waiting, 6U);
    EXPECT_EQ(gate_.most(), 6U);
    // Once libvirt lets go of them, all is as it was.
    gate_.open();
    for (unsigned i = 0; i < 7; ++i) {
        ASSERT_TRUE(inbox_.take<CallReturned>());
    }
    while (status().given_up > 0) {
        std::this_thread::yield();
    }
    EXPECT_EQ(inbox_.count<CallReturned>(), 0U);
}

TEST_F(LibvirtLimits, ADestroyGetsThroughWhereEveryMonitorHangs) {
    connect({.short_is_slow = 10ms});
    const auto guests = define(20);
    for (CallId id = 1; id <= guests.size(); ++id) {
        submit(id, guests[id - 1], CallKind::shutdown_acpi);
    }
    ASSERT_TRUE(gate_.wait_inside(17)) << "in place of slow ones, more and more";
    for (CallId id = 1; id <= guests.size(); ++id) {
        hypervisor_->abandon({id, {UriId{0}, guests[id - 1]}});
    }
    submit(100, guests[0], CallKind::destroy_graceful);
    submit(101, guests[1], CallKind::probe);
    submit(102, guests[2], CallKind::abort_job);
    EXPECT_TRUE(gate_.wait_inside(20));
    gate_.open();
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(inbox_.take<CallReturned>());
    }
}

TEST_F(LibvirtLimits, LongCallsAndAsksTogetherLeaveWorkersForAborts) {
    connect({.long_calls = 15, .short_is_slow = 10ms});
    const auto guests = define(40);
    for (CallId id = 1; id <= 40; ++id) {
        submit(id, guests[id - 1], id <= 20 ? CallKind::start : CallKind::shutdown_acpi);
    }
    ASSERT_TRUE(gate_.wait_inside(17));
    submit(100, guests[0], CallKind::abort_job);
    ASSERT_TRUE(gate_.wait_inside(18));
    EXPECT_EQ(gate_.most(), 18U);
    gate_.open();
    for (int i = 0; i < 41; ++i) {
        EXPECT_TRUE(inbox_.take<CallReturned>());
    }
}

TEST_F(LibvirtLimits, SlowShortCallsAreRelieved) {
    connect({.short_is_slow = 10ms});
    const auto guests = define(4);
    for (CallId id = 1; id <= 3; ++id) {
        submit(id, guests[id - 1], CallKind::destroy_graceful);
    }
    ASSERT_TRUE(gate_.wait_inside(3));
    submit(4, guests[3], CallKind::destroy_forced);
    EXPECT_TRUE(gate_.wait_inside(4));
    gate_.open();
}

TEST_F(LibvirtLimits, IdleWorkersDisconnect) {
    connect({.idle_time = 1ms});
    gate_.open();
    const auto guests = define(3);
    start_in_turn(guests);
    while (status().workers > 0) {
        std::this_thread::yield();
    }
    submit(9, guests[0], CallKind::probe);
    EXPECT_EQ(inbox_.take<CallReturned>().value().observed.value().state, GuestState::running);
}

TEST_F(LibvirtLimits, ConnectionsForADrainOfManyAreOpenedBeforeItsCalls) {
    connect({.crowd = 2});
    hypervisor_->expect_drain();
    EXPECT_EQ(status().workers, 0U) << "only the test driver's own guest runs";
    gate_.open();
    const auto guests = define(5);
    start_in_turn(guests);
    const auto before = status().workers;
    hypervisor_->expect_drain();
    EXPECT_EQ(status().workers, before + 3);
    submit(100, guests[0], CallKind::shutdown_acpi);
    EXPECT_EQ(inbox_.take<CallReturned>().value().status, CallStatus::done);
}

TEST_F(LibvirtLimits, AConnectionThatHangsBeforeItsCallKeepsNoneWaiting) {
    connect({.short_is_slow = 10ms, .crowd = 2});
    gate_.open();
    const auto guests = define(4);
    start_in_turn(guests);
    const auto before = status().workers;
    daemon_.freeze();
    hypervisor_->expect_drain();
    ASSERT_EQ(status().workers, before + 3);
    submit(100, guests[0], CallKind::shutdown_acpi);
    while (status().workers == before + 3) {
        std::this_thread::yield();  // until it has one of its own
    }
    daemon_.thaw();
    EXPECT_EQ(inbox_.take<CallReturned>().value().status, CallStatus::done);
}

}  // namespace
}  // namespace guestd::test
