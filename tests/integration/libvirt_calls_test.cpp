// SPDX-License-Identifier: LGPL-2.1-or-later
/// Listings, events and calls, against a real libvirtd with the test driver.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "event_inbox.hpp"
#include "libvirt/hypervisor.hpp"
#include "private_libvirtd.hpp"

namespace guestd::test {
namespace {

using libvirt::LibvirtHypervisor;

class LibvirtCalls : public ::testing::Test {
protected:
    PrivateLibvirtd daemon_;
    EventInbox inbox_;
    LibvirtHypervisor hypervisor_{{.uris = {daemon_.uri()}}, inbox_.sink()};
    CallId last_ = 0;

    InventoryListed listed() {
        hypervisor_.start();
        return inbox_.take<InventoryListed>().value();
    }

    CallReturned call(Call call) {
        call.id = ++last_;
        hypervisor_.submit(call);
        return inbox_.take<CallReturned>([&](const auto& result) { return result.id == call.id; })
            .value();
    }
    CallReturned call(const Uuid& uuid, CallKind kind) {
        return call({.guest = {UriId{0}, uuid}, .kind = kind});
    }

    std::optional<GuestChanged> event(const Uuid& uuid, Lifecycle what) {
        return inbox_.take<GuestChanged>([&](const auto& changed) {
            return changed.guest.uuid == uuid && changed.what == what;
        });
    }
};

const GuestInfo* find(const InventoryListed& listing, const Uuid& uuid) {
    for (const auto& guest : listing.guests) {
        if (guest.uuid == uuid) {
            return &guest;
        }
    }
    return nullptr;
}

TEST_F(LibvirtCalls, ListsStatesAndFlags) {
    const auto off = daemon_.define("off");
    const auto on = daemon_.define("on");
    const auto paused = daemon_.define("paused");
    const auto saved = daemon_.define("saved");
    const auto marked = daemon_.define("marked");
    ASSERT_EQ(virDomainCreate(daemon_.domain(on).get()), 0);
    ASSERT_EQ(virDomainCreate(daemon_.domain(paused).get()), 0);
    ASSERT_EQ(virDomainSuspend(daemon_.domain(paused).get()), 0);
    ASSERT_EQ(virDomainCreate(daemon_.domain(saved).get()), 0);
    ASSERT_EQ(virDomainManagedSave(daemon_.domain(saved).get(), 0), 0);
    ASSERT_EQ(virDomainSetAutostart(daemon_.domain(marked).get(), 1), 0);
    const libvirt::DomainPtr transient{virDomainCreateXML(
        daemon_.keeper(),
        "<domain type='test'><name>guest</name><memory>1024</memory><os><type>hvm</type></os>"
        "</domain>",
        0)};

    const auto listing = listed();
    EXPECT_EQ(listing.uri, UriId{0});
    EXPECT_EQ(listing.long_calls, 15U);
    EXPECT_EQ(listing.guests.size(), 7U);  // and "test", which the driver comes with
    ASSERT_NE(find(listing, off), nullptr);
    EXPECT_EQ(find(listing, off)->name, "off");
    EXPECT_EQ(find(listing, off)->state, GuestState::shutoff);
    EXPECT_TRUE(find(listing, off)->persistent);
    EXPECT_FALSE(find(listing, off)->autostart);
    EXPECT_FALSE(find(listing, off)->managed_save);
    EXPECT_EQ(find(listing, on)->state, GuestState::running);
    EXPECT_EQ(find(listing, paused)->state, GuestState::paused);
    EXPECT_EQ(find(listing, saved)->state, GuestState::shutoff);
    EXPECT_TRUE(find(listing, saved)->managed_save);
    EXPECT_TRUE(find(listing, marked)->autostart);
    EXPECT_FALSE(find(listing, libvirt::uuid_of(transient.get()))->persistent);
}

}  // namespace
}  // namespace guestd::test
