// SPDX-License-Identifier: LGPL-2.1-or-later
/// What counts as a change of a guest's definition.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libvirt/definition_diff.hpp"

namespace guestd::libvirt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string domain(const std::string& devices, const std::string& more = {}) {
    return "<domain><uuid>u</uuid><memory unit='KiB'>2097152</memory>" + more + "<devices>" +
           devices + "</devices></domain>";
}
std::vector<std::string> differences(const std::string& image, const std::string& definition) {
    return definition_differences(image.c_str(), definition.c_str());
}
std::vector<std::string> device_differences(const std::string& image,
                                            const std::string& definition) {
    return differences(domain(image), domain(definition));
}
std::string disk(const std::string& target, const std::string& source) {
    return "<disk type='file' device='disk'><source file='" + source + "'/><target dev='" + target +
           "'/></disk>";
}

TEST(LibvirtDifference, WhatLibvirtFillsInIsNone) {
    EXPECT_THAT(
        device_differences(
            "<emulator>/a</emulator><disk type='file' device='disk'><driver name='qemu'/>"
            "<source file='/a' index='1'><seclabel model='dac'/></source><backingStore/>"
            "<target dev='vda' bus='virtio'/><alias name='virtio-disk0'/>"
            "<address type='pci' slot='0x04'/></disk>"
            "<controller type='pci' index='0' model='pci-root'/><controller type='usb'/>"
            "<interface type='bridge'><mac address='m'/><source network='n' portid='p' "
            "bridge='virbr0'/><target dev='vnet0'/><model type='virtio'/></interface>"
            "<serial type='pty'><source path='/dev/pts/1'/></serial><console type='pty'/>"
            "<input type='mouse'/><memballoon model='virtio'/><audio id='1' type='none'/>"
            "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/><product id='0x2'/>"
            "<address bus='1' device='7'/></source></hostdev>",
            disk("vda", "/a") +
                "<interface type='network'><mac address='m'/><source network='n'/></interface>"
                "<serial type='pty'/><hostdev mode='subsystem' type='usb'><source>"
                "<vendor id='0x1'/><product id='0x2'/></source></hostdev>"),
        IsEmpty());
}

TEST(LibvirtDifference, OrderIsNone) {
    EXPECT_THAT(device_differences(disk("vda", "/a") + disk("vdb", "/b"),
                                   disk("vdb", "/b") + disk("vda", "/a")),
                IsEmpty());
}

TEST(LibvirtDifference, MemoryAndProcessors) {
    EXPECT_THAT(
        differences("<domain><uuid>a</uuid><memory>2097152</memory><vcpu current='2'>4</vcpu>"
                    "</domain>",
                    "<domain><uuid>b</uuid><memory>1048577</memory><vcpu>4</vcpu></domain>"),
        ElementsAre("UUID: a in the image, b in the definition",
                    "memory: 2 GiB in the image, 1048577 KiB in the definition",
                    "vcpus: 2 of 4 in the image, 4 in the definition"));
    EXPECT_THAT(differences("<domain><memory>1024</memory></domain>", "nonsense"), IsEmpty());
}

TEST(LibvirtDifference, Disks) {
    EXPECT_THAT(
        device_differences(disk("vda", "/a") + disk("vdb", "/b"),
                           disk("vda", "/c") + "<disk type='network' device='disk'><source "
                                               "protocol='rbd' name='x'/><target dev='vdc'/>"
                                               "</disk>"),
        ElementsAre("disk vda: /a in the image, /c in the definition",
                    "disk vdb (/b): only in the image",
                    "disk vdc (rbd:x): only in the definition"));
    // The guest ejects a medium by itself.
    const std::string drive = "<disk device='cdrom'><target dev='hdc'/>";
    EXPECT_THAT(device_differences(drive + "</disk>", drive + "<source file='/i'/></disk>"),
                IsEmpty());
    EXPECT_THAT(device_differences("", drive + "</disk>"),
                ElementsAre("disk hdc (cdrom): only in the definition"));
}

TEST(LibvirtDifference, InterfacesAndHostDevices) {
    const auto nic = [](const std::string& mac, const std::string& source) {
        return "<interface type='bridge'><mac address='" + mac + "'/><source " + source +
               "/></interface>";
    };
    EXPECT_THAT(device_differences(nic("m", "bridge='br0'"),
                                   nic("m", "network='n'") + nic("k", "bridge='br1'")),
                ElementsAre("interface m: bridge br0 in the image, network n in the definition",
                            "interface k (bridge br1): only in the definition"));
    EXPECT_THAT(
        device_differences("<hostdev type='pci'><source><address domain='0x0000' bus='0x03' "
                           "slot='0x00' function='0x0'/></source></hostdev>",
                           "<hostdev type='pci'><source><address domain='0x0000' bus='0x04' "
                           "slot='0x00' function='0x0'/></source></hostdev>"),
        ElementsAre("host device pci 0x0000:0x03:0x00:0x0: only in the image",
                    "host device pci 0x0000:0x04:0x00:0x0: only in the definition"));
}

TEST(LibvirtDifference, OtherDevicesByTheirNumber) {
    EXPECT_THAT(device_differences("<channel/><channel/>", "<channel/><tpm/>"),
                ElementsAre("tpm devices: 0 in the image, 1 in the definition",
                            "channel devices: 2 in the image, 1 in the definition"));
}

TEST(LibvirtDifference, TooManyAreCounted) {
    std::string many;
    for (int i = 0; i < 13; ++i) {
        many += disk("vd" + std::to_string(i), "/x");
    }
    const auto told = device_differences("", many);
    ASSERT_EQ(told.size(), 11U);
    EXPECT_EQ(told.back(), "and 3 more");
}

}  // namespace
}  // namespace guestd::libvirt
