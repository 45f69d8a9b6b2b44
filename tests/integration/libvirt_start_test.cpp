// SPDX-License-Identifier: LGPL-2.1-or-later
/// Why a guest does not start, as far as libvirt's answers tell.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libvirt/virterror.h>

#include "libvirt/errors.hpp"
#include "libvirt/starting.hpp"
#include "libvirt_qemu_fixture.hpp"

namespace guestd::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using LibvirtStart = LibvirtQemu;

TEST_F(LibvirtStart, AMissingDiskIsNamed) {
    const auto uuid = define("guest", 16,
                             "<disk type='block' device='disk'><driver name='qemu' type='raw'/>"
                             "<source dev='/dev/no-such-disk'/><target dev='hdb' bus='ide'/></disk>"
                             "<disk type='file' device='cdrom'>"
                             "<source file='/no/such.iso' startupPolicy='optional'/>"
                             "<target dev='hdc' bus='ide'/></disk>");
    std::filesystem::remove(file("guest.img"));
    connect();
    const auto result = call(uuid, CallKind::start);
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_THAT(result.missing, ElementsAre(file("guest.img").string(), "/dev/no-such-disk"));
}

TEST_F(LibvirtStart, ADefinitionThatLibvirtCannotDoIsUnfit) {
    const auto kvm_only = define("kvm-only", 16, "", "<cpu mode='host-passthrough'/>");
    // The same mistake, and one that may heal: that counts more.
    const auto both = define("both", 16, "", "<cpu mode='host-passthrough'/>");
    std::filesystem::remove(file("both.img"));
    const auto network =
        define("network", 16, "<interface type='network'><source network='none'/></interface>");
    connect();
    auto result = call(kvm_only, CallKind::start);
    EXPECT_EQ(result.status, CallStatus::unfit) << result.message;
    EXPECT_THAT(result.missing, IsEmpty());
    EXPECT_EQ(result.observed.value().state, GuestState::shutoff);
    EXPECT_EQ(call(both, CallKind::start).status, CallStatus::refused);
    result = call(network, CallKind::start);
    EXPECT_EQ(result.status, CallStatus::refused) << result.message;
}

TEST(LibvirtStartError, OnlyAFewBlameTheDefinition) {
    for (const int code : {VIR_ERR_CONFIG_UNSUPPORTED, VIR_ERR_XML_ERROR, VIR_ERR_XML_DETAIL}) {
        EXPECT_TRUE(libvirt::blames_definition({.code = code})) << code;
    }
    for (const int code : {VIR_ERR_INTERNAL_ERROR, VIR_ERR_SYSTEM_ERROR, VIR_ERR_OPERATION_INVALID,
                           VIR_ERR_OPERATION_FAILED, VIR_ERR_NO_NETWORK, VIR_ERR_NO_STORAGE_POOL,
                           VIR_ERR_NO_STORAGE_VOL, VIR_ERR_NO_MEMORY, VIR_ERR_RESOURCE_BUSY,
                           VIR_ERR_OPERATION_TIMEOUT, VIR_ERR_NO_SUPPORT, VIR_ERR_INVALID_ARG}) {
        EXPECT_FALSE(libvirt::blames_definition({.code = code})) << code;
    }
}

TEST(LibvirtStartError, ADiskThatIsInUseIsBusyWhoeverNoticesIt) {
    ASSERT_EQ(virInitialize(), 0);  // asking a connection, and be it none, may fail
    const auto status = [](int code, const char* message) {
        return libvirt::status_of({.code = code, .message = message}, nullptr);
    };
    EXPECT_EQ(status(VIR_ERR_RESOURCE_BUSY, "Lockspace resource 'a' is locked"), CallStatus::busy);
    for (const char* lock :
         {R"("write" lock)", R"(shared "write" lock)", R"("consistent read" lock)"})
        EXPECT_EQ(status(VIR_ERR_INTERNAL_ERROR,
                         (std::string{"qemu unexpectedly closed the monitor: Failed to get "} +
                          lock + "\nIs another process using the image [a.img]?")
                             .c_str()),
                  CallStatus::busy)
            << lock;
    for (const char* other : {"Failed to get \"write\" permission", "Failed to get bootmem",
                              "cannot acquire \"write\" lock"})
        EXPECT_EQ(status(VIR_ERR_INTERNAL_ERROR, other), CallStatus::refused) << other;
}

}  // namespace
}  // namespace guestd::test
