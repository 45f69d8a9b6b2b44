// SPDX-License-Identifier: LGPL-2.1-or-later
/// What is asked of a guest's agent, of agents that answer and of those that do not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

#include "libvirt/addresses.hpp"
#include "libvirt_fake_agent.hpp"
#include "libvirt_qemu_fixture.hpp"

namespace guestd::libvirt {
namespace {

TEST(LibvirtAddress, OneThatCanBeReachedFromHere) {
    const auto best = [](std::vector<std::string> texts) {
        std::vector<GuestAddress> found;
        for (auto& text : texts) {
            found.push_back({"52:54:00:00:00:01", std::move(text)});
        }
        return best_address(found, {});
    };
    EXPECT_EQ(best({}), "");
    EXPECT_EQ(best({"127.0.0.1", "169.254.3.4", "0.0.0.0", "224.0.0.251", "nonsense"}), "");
    EXPECT_EQ(best({"::1", "fe80::1", "::", "ff02::1"}), "");
    EXPECT_EQ(best({"fe80::1", "2001:db8::5"}), "2001:db8::5");
    EXPECT_EQ(best({"2001:db8::5", "10.0.0.5", "10.0.0.6"}), "10.0.0.5");
}

TEST(LibvirtAddress, OfItsOwnInterfacesRatherThanOfThoseInsideIt) {
    const std::vector<GuestAddress> found = {{"02:42:00:00:00:01", "172.17.0.1"},
                                             {"52:54:00:AB:00:01", "2001:db8::5"}};
    EXPECT_EQ(best_address(found, {"52:54:00:ab:00:01"}), "2001:db8::5");
    EXPECT_EQ(best_address(found, {"52:54:00:ab:00:02"}), "172.17.0.1");
}

}  // namespace
}  // namespace guestd::libvirt

namespace guestd::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Manner = FakeAgent::Manner;

class LibvirtAgent : public LibvirtQemu {
protected:
    std::list<FakeAgent> agents_;

    /// Started, with its agent connected.
    Uuid start(const std::string& name, Manner manner, const std::string& devices = {}) {
        auto& agent = agents_.emplace_back(daemon_.folder(), name, manner);
        const auto uuid = define(name, 16, agent.devices() + devices);
        const auto started = call(uuid, CallKind::start);
        EXPECT_EQ(started.status, CallStatus::done) << started.message;
        EXPECT_TRUE(inbox_.take<AgentChanged>(
            [&](const auto& event) { return event.guest.uuid == uuid && event.connected; }));
        return uuid;
    }
    /// As libvirt remembers it for when it is started anew.
    std::string status_of(const std::string& name) const {
        for (const auto& each : std::filesystem::recursive_directory_iterator{daemon_.folder()}) {
            if (each.path().filename() == name + ".xml" &&
                each.path().parent_path().filename() == "run") {
                std::ifstream file{each.path()};
                return {std::istreambuf_iterator<char>{file}, {}};
            }
        }
        return {};
    }
};

TEST_F(LibvirtAgent, AClockIsSetAndReadBack) {
    connect();
    const auto uuid = start("guest", Manner::obliging);
    agents_.back().set_offset(-1h);
    const auto result = call(uuid, CallKind::set_time);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_LT(std::chrono::abs(agents_.back().offset()), 2s);
    // Nobody else is left with our limit.
    EXPECT_THAT(status_of("guest"), HasSubstr("<agentTimeout>-2</agentTimeout>"));
}

TEST_F(LibvirtAgent, AClockThatIsNotRightAfterwardsIsNotSet) {
    connect();
    const auto stubborn = start("stubborn", Manner::stubborn);
    agents_.back().set_offset(-1h);
    auto result = call(stubborn, CallKind::set_time);
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_THAT(result.message, HasSubstr("its clock was set, and still is 3600."));
    EXPECT_THAT(result.message, HasSubstr(" s behind"));
    agents_.back().set_offset(10s);
    EXPECT_THAT(call(stubborn, CallKind::set_time).message, HasSubstr(" s ahead"));
    agents_.back().set_offset(1s);
    EXPECT_EQ(call(stubborn, CallKind::set_time).status, CallStatus::done);

    const auto clockless = start("clockless", Manner::clockless);
    agents_.back().set_offset(-1h);
    result = call(clockless, CallKind::set_time);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;

    const auto refusing = start("refusing", Manner::refusing);
    result = call(refusing, CallKind::set_time);
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_THAT(result.message, HasSubstr("guest-set-time"));
}

TEST_F(LibvirtAgent, AnAgentThatRefusesAnswers) {
    const auto none = define("none", 16);
    connect();
    const auto obliging = start("obliging", Manner::obliging);
    EXPECT_EQ(call(obliging, CallKind::ping_agent).status, CallStatus::done);
    const auto refusing = start("refusing", Manner::refusing);
    const auto refused = call(refusing, CallKind::ping_agent);
    EXPECT_EQ(refused.status, CallStatus::done) << refused.message;
    EXPECT_EQ(call(none, CallKind::ping_agent).status, CallStatus::refused);
    ASSERT_EQ(call(none, CallKind::start).status, CallStatus::done);
    EXPECT_EQ(call(none, CallKind::ping_agent).status, CallStatus::refused);
    EXPECT_EQ(call(none, CallKind::set_time).status, CallStatus::refused);
}

/// Their calls end, and meanwhile keep nobody from being asked or started.
TEST_F(LibvirtAgent, SilentAgentsAreNotWaitedForForEver) {
    const auto other = define("other", 16);
    connect({.short_is_slow = 1h});
    const auto silent = start("silent", Manner::silent);
    std::vector<Uuid> deaf;
    for (int i = 0; i < 3; ++i) {
        deaf.push_back(start("deaf-" + std::to_string(i), Manner::deaf));
    }
    std::vector<CallId> calls;
    for (int i = 0; i < 3; ++i) {
        calls.push_back(submit(deaf[static_cast<std::size_t>(i)],
                               i % 2 == 0 ? CallKind::ping_agent : CallKind::find_address));
    }
    calls.push_back(submit(silent, CallKind::set_time));
    EXPECT_EQ(call(other, CallKind::start).status, CallStatus::done);
    EXPECT_TRUE(wrote(other, 'U'));
    EXPECT_EQ(call(other, CallKind::shutdown_acpi).status, CallStatus::done);
    EXPECT_TRUE(saw(other, Lifecycle::shut_down));
    EXPECT_FALSE(inbox_.has<CallReturned>(
        [&](const auto& result) { return result.id == calls[0] || result.id == calls.back(); }));
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const auto result = returned(calls[i]);
        const bool address = i == 1;
        EXPECT_EQ(result.status, address ? CallStatus::done : CallStatus::refused) << i;
        EXPECT_EQ(result.address, "");
    }
}

TEST_F(LibvirtAgent, AnAddressIsTakenFromTheAgent) {
    connect();
    const auto uuid = start("guest", Manner::obliging,
                            "<interface type='user'><mac address='52:54:00:12:34:56'/>"
                            "<model type='virtio'/></interface>");
    const auto found = call(uuid, CallKind::find_address);
    EXPECT_EQ(found.status, CallStatus::done) << found.message;
    EXPECT_EQ(found.address, "192.0.2.5");
    const auto refusing = start("refusing", Manner::refusing);
    const auto none = call(refusing, CallKind::find_address);
    EXPECT_EQ(none.status, CallStatus::done) << none.message;
    EXPECT_EQ(none.address, "");
}

/// The test driver makes them up.
TEST(LibvirtAddressCall, AnAddressIsTakenFromALease) {
    const PrivateLibvirtd daemon;
    EventInbox inbox;
    const auto uuid =
        daemon.define("guest",
                      "<devices><interface type='network'><source network='default'/></interface>"
                      "</devices>");
    ASSERT_EQ(virDomainCreate(daemon.domain(uuid).get()), 0);
    libvirt::LibvirtHypervisor hypervisor{{.uris = {daemon.uri()}}, inbox.sink()};
    hypervisor.start();
    ASSERT_TRUE(inbox.take<InventoryListed>());
    hypervisor.submit({.id = 1, .guest = {UriId{0}, uuid}, .kind = CallKind::find_address});
    const auto found = inbox.take<CallReturned>().value();
    EXPECT_EQ(found.status, CallStatus::done) << found.message;
    EXPECT_THAT(found.address, HasSubstr("."));
}

}  // namespace
}  // namespace guestd::test
