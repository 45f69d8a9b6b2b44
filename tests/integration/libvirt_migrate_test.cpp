// SPDX-License-Identifier: LGPL-2.1-or-later
/// Evacuation of real guests, from one libvirtd to another.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libvirt_qemu_fixture.hpp"

namespace guestd::test {
namespace {

using libvirt::TextPtr;

class LibvirtMigrate : public LibvirtQemu {
protected:
    /// Without disks: no two hosts of a test share a storage that libvirt would trust.
    Uuid running() const {
        const auto uuid = daemon_.define_xml(
            "<domain type='qemu'><name>guest</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"
            "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
            "<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>");
        EXPECT_EQ(virDomainCreate(daemon_.domain(uuid).get()), 0);
        return uuid;
    }
    CallReturned migrate(const Uuid& uuid, const std::string& target) {
        hypervisor_->submit({.id = ++last_,
                             .guest = {UriId{0}, uuid},
                             .kind = CallKind::migrate,
                             .target = target});
        return returned(last_);
    }
};

TEST_F(LibvirtMigrate, AGuestGoesAndTakesItsDefinitionAlong) {
    const auto uuid = running();
    connect();
    const auto refused = migrate(uuid, "qemu+unix:///session?socket=/nonexistent");
    EXPECT_EQ(refused.status, CallStatus::refused);
    EXPECT_THAT(refused.message, ::testing::HasSubstr("nonexistent"));
    EXPECT_EQ(refused.observed.value().state, GuestState::running);

    const TextPtr host{virConnectGetHostname(daemon_.keeper())};
    if (std::string_view{host.get()}.starts_with("localhost")) {
        GTEST_SKIP() << "QEMU's driver takes no guest on a host without a name";
    }
    const PrivateLibvirtd other{PrivateLibvirtd::Driver::qemu};
    const auto result = migrate(uuid, other.uri());
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_EQ(result.observed.value().state, GuestState::absent);
    EXPECT_TRUE(saw(uuid, Lifecycle::migrated));
    const auto there = other.domain(uuid);
    ASSERT_TRUE(there);
    EXPECT_EQ(virDomainIsPersistent(there.get()), 1);
    int state = 0;
    EXPECT_EQ(virDomainGetState(there.get(), &state, nullptr, 0), 0);
    EXPECT_EQ(state, VIR_DOMAIN_RUNNING);
    virDomainDestroy(there.get());
}

}  // namespace
}  // namespace guestd::test
