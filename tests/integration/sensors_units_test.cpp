// SPDX-License-Identifier: LGPL-2.1-or-later
// The need for a unit: a systemd that tells, on a bus that is restarted, frozen, or not there.
#include "sensors/units.hpp"
#include "sensors_fake_systemd.hpp"
#include "sensors_fixture.hpp"
#include "systemd_fake_manager.hpp"

namespace guestd::sensors::testing {
namespace {

using systemd::testing::PrivateBus;
using ::testing::StartsWith;

constexpr const char* kUnit = "iscsid.service";

TEST(UnitState, ActiveIsWhatDoesItsWork) {
    for (const char* active : {"active", "reloading", "refreshing"})
        EXPECT_TRUE(is_active({"loaded", active})) << active;
    for (const char* active : {"inactive", "failed", "activating", "deactivating", "maintenance"})
        EXPECT_FALSE(is_active({"loaded", active})) << active;
}

TEST(UnitState, IsToldInWords) {
    EXPECT_EQ(why_not_active("x.mount", {"loaded", "failed"}), "x.mount is failed");
    EXPECT_EQ(why_not_active("x.mount", {"masked", "inactive"}), "x.mount is masked");
    EXPECT_EQ(why_not_active("x.mount", {"not-found", "inactive"}),
              "x.mount: systemd does not know it");
}

class UnitTest : public SensorsTest {
protected:
    UnitTest() : bus_(std::make_unique<PrivateBus>()) {}

    std::unique_ptr<PrivateBus> bus_;
};

TEST_F(UnitTest, ChangesAreToldAtOnce) {
    FakeSystemd systemd{*loop_};
    systemd.set_silently(kUnit, {});
    need(NeedKind::unit, kUnit);
    EXPECT_TRUE(until_told(false, "iscsid.service is inactive"));
    // Read twice: once more after its signals were asked for.
    EXPECT_TRUE(until([&] { return systemd.questions() == 2; }));
    systemd.set(kUnit, {.active = "active"});
    EXPECT_TRUE(until_holds());
    systemd.set(kUnit, {.active = "reloading"});
    EXPECT_TRUE(until([&] { return systemd.questions() == 4; }));
    systemd.set(kUnit, {.active = "failed"});
    EXPECT_TRUE(until_told(false, "iscsid.service is failed"));
    EXPECT_EQ(times_told_[kId], 3);
}

TEST_F(UnitTest, EachUnitForItself) {
    FakeSystemd systemd{*loop_};
    systemd.set_silently("a.service", {.active = "active"});
    need(NeedKind::unit, "a.service", 1);
    need(NeedKind::unit, "b.service", 2);
    EXPECT_TRUE(until_holds(1));
    EXPECT_TRUE(until_told(false, "b.service: systemd does not know it", 2));
    need(NeedKind::unit, "bad name.service", 3);
    EXPECT_TRUE(until_told(
        false, "bad name.service: systemd says: Unit name bad name.service is not valid.", 3));
    sensors().unwatch(1);
    systemd.set("a.service", {.active = "failed"});
    systemd.set("b.service", {.active = "active"});
    EXPECT_TRUE(until_holds(2));
    EXPECT_EQ(times_told_[1], 1);
}

TEST_F(UnitTest, SafetyTimerReadsAgain) {
    options_.safety = 20ms;
    FakeSystemd systemd{*loop_};
    need(NeedKind::unit, kUnit);
    EXPECT_TRUE(until_told(false, "iscsid.service: systemd does not know it"));
    systemd.set_silently(kUnit, {.active = "active"});
    EXPECT_TRUE(until_holds());
}

TEST_F(UnitTest, BusIsRestarted) {
    auto systemd = std::make_unique<FakeSystemd>(*loop_);
    systemd->set_silently(kUnit, {.active = "active"});
    need(NeedKind::unit, kUnit);
    EXPECT_TRUE(until_holds());
    EXPECT_TRUE(until([&] { return systemd->questions() == 2; }));
    systemd.reset();
    // The new one has the old one's place in the environment.
    bus_.reset();
    bus_ = std::make_unique<PrivateBus>();
    systemd = std::make_unique<FakeSystemd>(*loop_);
    systemd->set_silently(kUnit, {.active = "deactivating"});
    EXPECT_TRUE(until_told(false, "iscsid.service is deactivating"));
    EXPECT_TRUE(until([&] { return systemd->questions() == 2; }));
    systemd->set(kUnit, {.active = "active"});
    EXPECT_TRUE(until_holds());
}

TEST_F(UnitTest, OverItsOwnSocketWhereThereIsNoBus) {
    bus_.reset();
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    FakeSystemd systemd{*loop_, options_.systemd_socket};
    need(NeedKind::unit, kUnit);
    EXPECT_TRUE(until_told(false, "iscsid.service: systemd does not know it"));
    EXPECT_TRUE(until([&] { return systemd.questions() == 2; }));
    systemd.set(kUnit, {.active = "active"});
    EXPECT_TRUE(until_holds());
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

TEST_F(UnitTest, OverItsOwnSocketWhenTheBusIsFrozen) {
    options_.manager_patience = 100ms;
    FakeSystemd systemd{*loop_, options_.systemd_socket};
    systemd.set_silently(kUnit, {.active = "active"});
    bus_->freeze();
    need(NeedKind::unit, kUnit);
    EXPECT_TRUE(until_holds());
}

TEST_F(UnitTest, SystemdFallsSilent) {
    options_.manager_patience = 50ms;
    options_.safety = 20ms;
    FakeSystemd systemd{*loop_};
    systemd.set_silently(kUnit, {.active = "active"});
    need(NeedKind::unit, kUnit);
    EXPECT_TRUE(until_holds());
    systemd.fall_silent();
    EXPECT_TRUE(until([&] { return !told_[kId].first; }));
    EXPECT_THAT(told_[kId].second, StartsWith("iscsid.service: systemd cannot be asked over "));
}

TEST_F(UnitTest, NoSystemdAnywhere) {
    need(NeedKind::unit, kUnit);
    EXPECT_TRUE(until_told(
        false,
        "iscsid.service: systemd cannot be asked over systemd's own socket: no such file or "
        "directory"));
    const FakeSystemd systemd{*loop_};
    EXPECT_TRUE(until_told(false, "iscsid.service: systemd does not know it"));
}

}  // namespace
}  // namespace guestd::sensors::testing
