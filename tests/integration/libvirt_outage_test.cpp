// SPDX-License-Identifier: LGPL-2.1-or-later
/// A libvirtd that dies, comes back, is not there, or does not answer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

#include "event_inbox.hpp"
#include "libvirt/hypervisor.hpp"
#include "private_libvirtd.hpp"

namespace guestd::test {
namespace {

using libvirt::LibvirtHypervisor;
using libvirt::Options;
using namespace std::chrono_literals;

class LibvirtOutage : public ::testing::Test {
protected:
    PrivateLibvirtd daemon_;
    EventInbox inbox_;
    std::unique_ptr<LibvirtHypervisor> hypervisor_;

    void make(Options options) {
        options.uris = {daemon_.uri()};
        hypervisor_ = std::make_unique<LibvirtHypervisor>(std::move(options), inbox_.sink());
    }
    void connect(Options options = {}) {
        make(std::move(options));
        hypervisor_->start();
        ASSERT_TRUE(inbox_.take<InventoryListed>());
    }

    void submit(CallId id, const Uuid& uuid, CallKind kind) {
        hypervisor_->submit({.id = id, .guest = {UriId{0}, uuid}, .kind = kind});
    }
    std::optional<CallReturned> returned(CallId id) {
        return inbox_.take<CallReturned>([id](const auto& result) { return result.id == id; });
    }
};

/// A hook that tells when calls begin and end. Calls that hang outlive their test, so the hook
/// shares what it writes to.
struct Watcher {
    std::shared_ptr<EventInbox> begun_ = std::make_shared<EventInbox>();
    std::shared_ptr<EventInbox> ended_ = std::make_shared<EventInbox>();
    EventInbox& begun = *begun_;
    EventInbox& ended = *ended_;

    std::function<void(const Call&, bool)> hook() {
        return [begin = begun_, end = ended_](const Call& call, bool begins) {
            (begins ? begin : end)->sink()(CallReturned{.id = call.id});
        };
    }
};

TEST_F(LibvirtOutage, ARestartIsLostAndListedAgain) {
    connect();
    daemon_.kill();
    const auto lost = inbox_.take<UriLost>().value();
    EXPECT_EQ(lost.uri, UriId{0});
    EXPECT_NE(lost.reason, "");
    EXPECT_FALSE(hypervisor_->status().at(0).listed);

    daemon_.start();
    const auto uuid = daemon_.define("after");
    ASSERT_TRUE(inbox_.take<InventoryListed>());
    // Events are registered anew, and workers do not fall over connections of the time before.
    ASSERT_EQ(virDomainCreate(daemon_.domain(uuid).get()), 0);
    EXPECT_TRUE(inbox_.take<GuestChanged>(
        [&](const auto& event) { return event.what == Lifecycle::booted; }));
    EXPECT_TRUE(hypervisor_->status().at(0).listed);
}

TEST_F(LibvirtOutage, AnIdleWorkerSurvivesARestart) {
    connect();
    const auto before = daemon_.define("before");
    submit(1, before, CallKind::start);
    EXPECT_EQ(returned(1).value().status, CallStatus::done);
    daemon_.kill();
    daemon_.start();
    const auto after = daemon_.define("after");
    submit(2, after, CallKind::start);
    EXPECT_EQ(returned(2).value().status, CallStatus::done);
}

TEST_F(LibvirtOutage, NobodyListensForAWhile) {
    daemon_.kill();
    daemon_.take_socket_away();
    make({});
    hypervisor_->start();
    EXPECT_TRUE(inbox_.take<UriLost>());
    submit(1, Uuid{}, CallKind::start);
    const auto result = returned(1).value();
    EXPECT_EQ(result.status, CallStatus::unknown);
    EXPECT_FALSE(result.observed);
    EXPECT_NE(result.message, "");
    daemon_.start();
    EXPECT_TRUE(inbox_.take<InventoryListed>());
}

TEST_F(LibvirtOutage, ConnectingToAFrozenOneIsReportedAndGoesOn) {
    daemon_.freeze();
    make({.connect_timeout = 20ms});
    hypervisor_->start();
    const auto lost = inbox_.take<UriLost>().value();
    EXPECT_THAT(lost.reason, ::testing::HasSubstr("does not answer"));
    daemon_.thaw();
    EXPECT_TRUE(inbox_.take<InventoryListed>());
}

TEST_F(LibvirtOutage, CallsThatHaveNotReachedItReturnWhenItIsLost) {
    Watcher watcher;
    connect({.long_calls = 1, .around_call = watcher.hook()});
    const auto uuid = daemon_.define("guest");
    daemon_.freeze();
    submit(1, uuid, CallKind::start);  // connects, and hangs in it
    submit(2, uuid, CallKind::start);  // waits for the first
    submit(3, uuid, CallKind::probe);
    ASSERT_TRUE(watcher.begun.take<CallReturned>([](const auto& call) { return call.id == 1; }));
    ASSERT_TRUE(watcher.begun.take<CallReturned>([](const auto& call) { return call.id == 3; }));
    daemon_.kill();  // the socket stays: connecting goes on hanging
    for (const CallId id : {1U, 2U, 3U}) {
        const auto result = returned(id).value();
        EXPECT_EQ(result.status, CallStatus::unknown);
        EXPECT_FALSE(result.observed);
        EXPECT_NE(result.message, "");
    }
    EXPECT_TRUE(inbox_.take<UriLost>());
}

TEST_F(LibvirtOutage, AnAbandonedCallIsNotMadeAfterAll) {
    Watcher watcher;
    connect({.around_call = watcher.hook()});
    const auto uuid = daemon_.define("guest");
    daemon_.freeze();
    submit(1, uuid, CallKind::start);  // connects, and hangs in it
    ASSERT_TRUE(watcher.begun.take<CallReturned>());
    hypervisor_->abandon({1, {UriId{0}, uuid}});
    daemon_.thaw();
    ASSERT_TRUE(watcher.ended.take<CallReturned>());
    submit(2, uuid, CallKind::probe);
    EXPECT_EQ(returned(2).value().observed.value().state, GuestState::shutoff);
}

TEST_F(LibvirtOutage, AnAbandonedCallIsReplacedAndNeverHeardOf) {
    Watcher watcher;
    connect({.long_calls = 1, .around_call = watcher.hook()});
    const auto stuck = daemon_.define("stuck");
    const auto other = daemon_.define("other");
    daemon_.freeze();
    submit(1, stuck, CallKind::start);
    ASSERT_TRUE(watcher.begun.take<CallReturned>());
    submit(2, other, CallKind::start);  // behind it: one long call at a time
    EXPECT_EQ(hypervisor_->status().at(0).waiting, 1U);
    hypervisor_->abandon({1, {UriId{0}, stuck}});
    EXPECT_EQ(hypervisor_->status().at(0).given_up, 1U);
    ASSERT_TRUE(watcher.begun.take<CallReturned>([](const auto& call) { return call.id == 2; }));

    daemon_.thaw();
    EXPECT_EQ(returned(2).value().status, CallStatus::done);
    while (hypervisor_->status().at(0).given_up > 0) {
        std::this_thread::yield();
    }
    EXPECT_EQ(inbox_.count<CallReturned>(), 0U);
    submit(3, other, CallKind::probe);
    EXPECT_EQ(returned(3).value().observed.value().state, GuestState::running);
}

TEST_F(LibvirtOutage, AWaitingCallCanBeAbandonedToo) {
    Watcher watcher;
    connect({.long_calls = 1, .around_call = watcher.hook()});
    const auto uuid = daemon_.define("guest");
    daemon_.freeze();
    submit(1, uuid, CallKind::start);
    ASSERT_TRUE(watcher.begun.take<CallReturned>());
    submit(2, uuid, CallKind::shutdown_auto);
    hypervisor_->abandon({2, {UriId{0}, uuid}});
    EXPECT_EQ(hypervisor_->status().at(0).waiting, 0U);
    EXPECT_EQ(hypervisor_->status().at(0).given_up, 0U);
    daemon_.thaw();
    EXPECT_EQ(returned(1).value().status, CallStatus::done);
    submit(3, uuid, CallKind::set_time);
    EXPECT_EQ(returned(3).value().status, CallStatus::done);
    EXPECT_EQ(watcher.begun.count<CallReturned>(), 1U);  // the third, never the second
}

TEST_F(LibvirtOutage, EndsWithACallInAFrozenLibvirtd) {
    Watcher watcher;
    connect({.around_call = watcher.hook()});
    const auto uuid = daemon_.define("guest");
    daemon_.freeze();
    submit(1, uuid, CallKind::start);
    submit(2, uuid, CallKind::probe);
    ASSERT_TRUE(watcher.begun.take<CallReturned>());
    ASSERT_TRUE(watcher.begun.take<CallReturned>());
    hypervisor_.reset();  // the test is that it returns
    EXPECT_EQ(inbox_.count<CallReturned>(), 0U);
    EXPECT_EQ(inbox_.count<UriLost>(), 0U);
    daemon_.thaw();
    ASSERT_TRUE(watcher.ended.take<CallReturned>());
    ASSERT_TRUE(watcher.ended.take<CallReturned>());
    EXPECT_EQ(inbox_.count<CallReturned>(), 0U);
}

}  // namespace
}  // namespace guestd::test
