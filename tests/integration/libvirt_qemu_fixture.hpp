// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Real guests of a private libvirtd: QEMU without KVM and a boot sector, up within a second.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>

#include "event_inbox.hpp"
#include "libvirt/hypervisor.hpp"
#include "private_libvirtd.hpp"

namespace guestd::test {

/// The boot sector of tests/guests: 'U' when up, 'A' when asked, 'D' when it goes down.
class LibvirtQemu : public ::testing::Test {
protected:
    PrivateLibvirtd daemon_{PrivateLibvirtd::Driver::qemu};
    EventInbox inbox_;
    std::unique_ptr<libvirt::LibvirtHypervisor> hypervisor_;
    CallId last_ = 0;
    std::map<Uuid, std::string> names_;

    void SetUp() override {
        const auto build = std::filesystem::path{__FILE__}.parent_path() / "../guests/build";
        ASSERT_EQ(std::system((build.string() + " " + file("sector").string()).c_str()), 0)
            << "binutils are needed";
    }
    void TearDown() override {
        hypervisor_.reset();
        for (const auto& [uuid, name] : names_) {
            virDomainDestroy(daemon_.domain(uuid).get());
        }
    }
    std::filesystem::path file(const std::string& name) const { return daemon_.folder() / name; }
    std::string trace(const Uuid& uuid) const { return file(names_.at(uuid) + ".trace").string(); }

    /// `more`: elements of the domain besides its devices.
    Uuid define(const std::string& name, unsigned mib, const std::string& devices = {},
                const std::string& more = {}) {
        const auto disk = file(name + ".img");
        std::filesystem::copy_file(file("sector"), disk);
        std::filesystem::permissions(disk, std::filesystem::perms{0666});
        const auto uuid = daemon_.define_xml(
            "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>" +
            name + "</name><memory unit='MiB'>" + std::to_string(mib) +
            "</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>"
            "<features><acpi/></features>" +
            more +
            "<devices><disk type='file' device='disk'>"
            "<driver name='qemu' type='raw'/><source file='" +
            disk.string() +
            "'/><target dev='hda' bus='ide'/></disk>"
            "<controller type='usb' model='none'/><memballoon model='none'/>" +
            devices +
            "</devices><qemu:commandline><qemu:arg value='-chardev'/><qemu:arg "
            "value='file,id=trace,append=on,path=" +
            file(name + ".trace").string() +
            "'/><qemu:arg value='-device'/><qemu:arg "
            "value='isa-debugcon,iobase=0xe9,chardev=trace'/></qemu:commandline></domain>");
        names_[uuid] = name;
        return uuid;
    }
    InventoryListed connect(libvirt::Options options = {}) {
        options.uris = {daemon_.uri()};
        hypervisor_ =
            std::make_unique<libvirt::LibvirtHypervisor>(std::move(options), inbox_.sink());
        hypervisor_->start();
        return inbox_.take<InventoryListed>().value();
    }
    CallId submit(const Uuid& uuid, CallKind kind) {
        hypervisor_->submit({.id = ++last_, .guest = {UriId{0}, uuid}, .kind = kind});
        return last_;
    }
    CallReturned returned(CallId id) {
        return inbox_.take<CallReturned>([id](const auto& result) { return result.id == id; })
            .value();
    }
    CallReturned call(const Uuid& uuid, CallKind kind) { return returned(submit(uuid, kind)); }
    bool saw(const Uuid& uuid, Lifecycle what) {
        return inbox_
            .take<GuestChanged>(
                [&](const auto& event) { return event.guest.uuid == uuid && event.what == what; })
            .has_value();
    }

    /// Among what is here now; does not wait.
    bool saw_already(Lifecycle what) {
        return inbox_.has<GuestChanged>([&](const auto& event) { return event.what == what; });
    }

    /// Waits until the guest has written this letter.
    bool wrote(const Uuid& uuid, char letter) const {
        const int watch = inotify_init1(IN_CLOEXEC);
        inotify_add_watch(watch, trace(uuid).c_str(), IN_MODIFY);
        bool found = false;
        for (bool more = true; more && !found;) {
            std::ifstream file{trace(uuid)};
            const std::string text{std::istreambuf_iterator<char>{file}, {}};
            found = text.find(letter) != std::string::npos;
            pollfd wait{watch, POLLIN, 0};
            char events[4096];
            more = !found && poll(&wait, 1, 20000) > 0 && read(watch, events, sizeof events) > 0;
        }
        close(watch);
        return found;
    }
};

}  // namespace guestd::test
