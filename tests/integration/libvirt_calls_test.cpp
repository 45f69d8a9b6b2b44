// SPDX-License-Identifier: LGPL-2.1-or-later
/// Listings, events and calls, against a real libvirtd with the test driver.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "config/metadata.hpp"
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

TEST_F(LibvirtCalls, ListsMetadataAndTellsWhenItChanges) {
    constexpr auto kNamespace = "urn:guestd:policy:1";
    const auto set = [&](const Uuid& uuid, const char* text) {
        return virDomainSetMetadata(daemon_.domain(uuid).get(), VIR_DOMAIN_METADATA_ELEMENT, text,
                                    "guestd", kNamespace, VIR_DOMAIN_AFFECT_CONFIG);
    };
    const auto uuid = daemon_.define("with");
    const auto without = daemon_.define("without");
    ASSERT_EQ(set(uuid, "<policy tier='critical'/>"), 0);

    const auto listing = listed();
    EXPECT_THAT(find(listing, uuid)->metadata, ::testing::HasSubstr("critical"));
    EXPECT_EQ(find(listing, without)->metadata, "");

    call(uuid, CallKind::probe);  // all is known, and nothing stale
    ASSERT_EQ(set(uuid, "<policy tier='expendable'/>"), 0);
    EXPECT_TRUE(event(uuid, Lifecycle::defined));
    // Not asked for in particular: what an event has made stale is read again.
    const auto refused = call(uuid, CallKind::resume);
    EXPECT_THAT(refused.observed.value().metadata, ::testing::HasSubstr("expendable"));
}

TEST_F(LibvirtCalls, OfAMebibyteOfMetadataTakesEnoughToSayThatItIsTooMuch) {
    const auto uuid = daemon_.define("guest");
    const std::string much =
        "<policy tier='critical'><!--" + std::string(std::size_t{1} << 20, 'x') + "--></policy>";
    ASSERT_EQ(
        virDomainSetMetadata(daemon_.domain(uuid).get(), VIR_DOMAIN_METADATA_ELEMENT, much.c_str(),
                             "guestd", "urn:guestd:policy:1", VIR_DOMAIN_AFFECT_CONFIG),
        0);
    const auto listing = listed();
    const auto& metadata = find(listing, uuid)->metadata;
    EXPECT_EQ(metadata.size(), config::kLargestMetadata + 1);
    const auto read = config::parse_metadata(metadata);
    ASSERT_EQ(read.problems.size(), 1U);
    EXPECT_THAT(render_problem(read.problems.front()), ::testing::HasSubstr("more than 65536"));
    EXPECT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    EXPECT_EQ(call(uuid, CallKind::probe).observed.value().metadata.size(), metadata.size());
}

TEST_F(LibvirtCalls, ReadsARedefinedGuestAgain) {
    const auto uuid = daemon_.define("guest");
    listed();
    EXPECT_EQ(call(uuid, CallKind::start).observed.value().memory, Bytes{64ULL << 20});
    ASSERT_EQ(call(uuid, CallKind::destroy_forced).status, CallStatus::done);
    daemon_.define_xml("<domain type='test'><name>guest</name><uuid>" + uuid.str() +
                       "</uuid><memory unit='MiB'>128</memory><os><type>hvm</type></os></domain>");
    EXPECT_TRUE(event(uuid, Lifecycle::defined));
    EXPECT_EQ(call(uuid, CallKind::resume).observed.value().memory, Bytes{128ULL << 20});
}

// What is read after it is only what gets through when nothing else does.
TEST_F(LibvirtCalls, DestroyingARedefinedGuestDoesNotHideItsNewDefinition) {
    const auto uuid = daemon_.define("guest");
    listed();
    EXPECT_EQ(call(uuid, CallKind::start).observed.value().memory, Bytes{64ULL << 20});
    daemon_.define_xml("<domain type='test'><name>guest</name><uuid>" + uuid.str() +
                       "</uuid><metadata><policy xmlns='urn:guestd:policy:1' tier='critical'/>"
                       "</metadata><memory unit='MiB'>128</memory><os><type>hvm</type></os>"
                       "</domain>");
    EXPECT_TRUE(event(uuid, Lifecycle::defined));
    ASSERT_EQ(call(uuid, CallKind::destroy_forced).status, CallStatus::done);
    const auto probed = call(uuid, CallKind::probe).observed.value();
    EXPECT_EQ(probed.memory, Bytes{128ULL << 20});
    EXPECT_THAT(probed.metadata, ::testing::HasSubstr("critical"));
}

// Only a listing with statistics tells it; this driver has none.
TEST_F(LibvirtCalls, ReadsTheMemoryOfAGuestThatRuns) {
    const auto uuid = daemon_.define("guest");
    ASSERT_EQ(virDomainCreate(daemon_.domain(uuid).get()), 0);
    listed();
    EXPECT_EQ(call(uuid, CallKind::probe).observed.value().memory, Bytes{64ULL << 20});
}

TEST_F(LibvirtCalls, TellsWhatOthersDo) {
    listed();
    const auto uuid = daemon_.define("guest");
    EXPECT_EQ(event(uuid, Lifecycle::defined).value().name, "guest");
    const auto guest = daemon_.domain(uuid);
    ASSERT_EQ(virDomainCreate(guest.get()), 0);
    const auto booted = event(uuid, Lifecycle::booted).value();
    EXPECT_EQ(booted.name, "guest");
    EXPECT_EQ(booted.guest.uri, UriId{0});
    EXPECT_TRUE(booted.persistent);
    ASSERT_EQ(virDomainSuspend(guest.get()), 0);
    EXPECT_TRUE(event(uuid, Lifecycle::suspended));
    ASSERT_EQ(virDomainResume(guest.get()), 0);
    EXPECT_TRUE(event(uuid, Lifecycle::resumed));
    ASSERT_EQ(virDomainShutdown(guest.get()), 0);
    EXPECT_TRUE(event(uuid, Lifecycle::shut_down));
    ASSERT_EQ(virDomainCreate(guest.get()), 0);
    ASSERT_EQ(virDomainDestroy(guest.get()), 0);
    EXPECT_TRUE(event(uuid, Lifecycle::destroyed));
    ASSERT_EQ(virDomainCreate(guest.get()), 0);
    ASSERT_EQ(virDomainManagedSave(guest.get(), 0), 0);
    EXPECT_TRUE(event(uuid, Lifecycle::saved));
    ASSERT_EQ(virDomainUndefineFlags(guest.get(), VIR_DOMAIN_UNDEFINE_MANAGED_SAVE), 0);
    EXPECT_FALSE(event(uuid, Lifecycle::undefined).value().persistent);
}

TEST_F(LibvirtCalls, KnowsATransientGuestByItsFirstEvent) {
    listed();
    const libvirt::DomainPtr made{virDomainCreateXML(
        daemon_.keeper(),
        "<domain type='test'><name>fleeting</name><memory>1024</memory><os><type>hvm</type></os>"
        "</domain>",
        0)};
    const auto uuid = libvirt::uuid_of(made.get());
    EXPECT_FALSE(event(uuid, Lifecycle::booted).value().persistent);
    const auto result = call(uuid, CallKind::destroy_forced);
    EXPECT_EQ(result.status, CallStatus::done);
    EXPECT_EQ(result.observed.value().state, GuestState::absent);
}

TEST_F(LibvirtCalls, StartsAndStops) {
    const auto uuid = daemon_.define("guest");
    listed();
    auto result = call(uuid, CallKind::start);
    EXPECT_EQ(result.status, CallStatus::done);
    EXPECT_EQ(result.guest, (GuestId{UriId{0}, uuid}));
    EXPECT_EQ(result.observed.value().state, GuestState::running);
    EXPECT_EQ(result.observed->name, "guest");
    EXPECT_EQ(result.observed->memory, Bytes{64ULL << 20});

    result = call(uuid, CallKind::suspend);
    EXPECT_EQ(result.observed.value().state, GuestState::paused);
    EXPECT_EQ(result.observed->memory, Bytes{64ULL << 20});
    EXPECT_FALSE(result.observed->saving);
    result = call(uuid, CallKind::resume);
    EXPECT_EQ(result.observed.value().state, GuestState::running);

    // The test driver has no power button: the flag has to be dropped.
    result = call(uuid, CallKind::shutdown_acpi);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_FALSE(result.observed);
    EXPECT_TRUE(event(uuid, Lifecycle::shut_down));

    EXPECT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    result = call(uuid, CallKind::shutdown_auto);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_TRUE(event(uuid, Lifecycle::shut_down));

    EXPECT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    result = call(uuid, CallKind::destroy_graceful);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_EQ(result.observed.value().state, GuestState::shutoff);
    EXPECT_TRUE(event(uuid, Lifecycle::destroyed));
}

TEST_F(LibvirtCalls, SavesAndRestores) {
    const auto uuid = daemon_.define("guest");
    listed();
    call(uuid, CallKind::start);
    auto result = call({.guest = {UriId{0}, uuid},
                        .kind = CallKind::save,
                        .bypass_cache = true,
                        .save_as = GuestState::running});
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_EQ(result.observed.value().state, GuestState::shutoff);
    EXPECT_TRUE(result.observed->managed_save);
    EXPECT_TRUE(event(uuid, Lifecycle::saved));

    // The test driver knows no flags for starting; bypass_cache is a wish, and is dropped.
    result = call({.guest = {UriId{0}, uuid}, .kind = CallKind::start, .bypass_cache = true});
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_EQ(result.observed.value().state, GuestState::running);
    EXPECT_FALSE(result.observed->managed_save);
}

TEST_F(LibvirtCalls, ForceBootGoesWithoutAFlagThatTheDriverDoesNotKnow) {
    const auto uuid = daemon_.define("guest");
    listed();
    call(uuid, CallKind::start);
    ASSERT_TRUE(call(uuid, CallKind::save).observed.value().managed_save);
    const auto result = call({.guest = {UriId{0}, uuid},
                              .kind = CallKind::start,
                              .bypass_cache = true,
                              .force_boot = true});
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_EQ(result.message,
              "the saved image was dropped: it is not known where libvirt keeps it");
    EXPECT_EQ(result.observed.value().state, GuestState::running);
    EXPECT_FALSE(result.observed->managed_save);
}

TEST_F(LibvirtCalls, RefusalsCarryTheStateAsItIs) {
    const auto uuid = daemon_.define("guest");
    listed();
    auto result = call(uuid, CallKind::destroy_forced);
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_EQ(result.observed.value().state, GuestState::shutoff);
    EXPECT_NE(result.message, "");
    result = call(uuid, CallKind::shutdown_acpi);  // would not be read back had it succeeded
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_EQ(result.observed.value().state, GuestState::shutoff);
    call(uuid, CallKind::start);
    result = call(uuid, CallKind::start);
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_EQ(result.observed.value().state, GuestState::running);
    result = call(uuid, CallKind::abort_job);  // the test driver has no jobs
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_EQ(result.observed.value().state, GuestState::running);
}

TEST_F(LibvirtCalls, MarksGuestsInLibvirtItself) {
    const auto off = daemon_.define("off");
    const auto on = daemon_.define("on");
    EXPECT_FALSE(find(listed(), off)->remembered);
    ASSERT_EQ(call(on, CallKind::start).status, CallStatus::done);
    EXPECT_EQ(call(off, CallKind::remember).status, CallStatus::done);
    EXPECT_EQ(call(on, CallKind::remember).status, CallStatus::done);
    EXPECT_TRUE(call(on, CallKind::suspend).observed.value().remembered);
    EXPECT_TRUE(event(on, Lifecycle::suspended));
    EXPECT_EQ(inbox_.count<GuestChanged>(), 1U) << "booted; nothing for a mark";

    // Another life finds them: at once those that are off, and with a second look the others.
    EventInbox inbox;
    LibvirtHypervisor late{{.uris = {daemon_.uri()}}, inbox.sink()};
    late.start();
    const auto listing = inbox.take<InventoryListed>().value();
    EXPECT_TRUE(find(listing, off)->remembered);
    const auto left_over = inbox.take<GuestChanged>().value();
    EXPECT_EQ(left_over.guest.uuid, on);
    EXPECT_EQ(left_over.what, Lifecycle::defined);
    late.submit({.id = 1, .guest = {UriId{0}, on}, .kind = CallKind::probe});
    EXPECT_TRUE(inbox.take<CallReturned>().value().observed.value().remembered);

    EXPECT_EQ(call(off, CallKind::forget).status, CallStatus::done);
    EXPECT_EQ(call(off, CallKind::forget).status, CallStatus::done);  // of what has no mark
    EXPECT_EQ(call(on, CallKind::forget).status, CallStatus::done);
    EXPECT_FALSE(call(on, CallKind::resume).observed.value().remembered);
    EXPECT_FALSE(call(off, CallKind::probe).observed.value().remembered);
}

TEST_F(LibvirtCalls, ATransientGuestCannotBeMarked) {
    const libvirt::DomainPtr transient{virDomainCreateXML(
        daemon_.keeper(),
        "<domain type='test'><name>guest</name><memory>1024</memory><os><type>hvm</type></os>"
        "</domain>",
        0)};
    listed();
    const auto refused = call(libvirt::uuid_of(transient.get()), CallKind::remember);
    EXPECT_EQ(refused.status, CallStatus::refused) << refused.message;
    EXPECT_FALSE(refused.observed.value().remembered);
}

// A refusal would be followed by three more questions for each guest of a drain.
TEST_F(LibvirtCalls, ADriverWithoutJobsHasNobodyBusy) {
    const auto uuid = daemon_.define("guest");
    listed();
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    for (int time = 0; time < 2; ++time) {
        const auto inspected = call(uuid, CallKind::inspect);
        EXPECT_EQ(inspected.status, CallStatus::done) << inspected.message;
        EXPECT_EQ(inspected.job, GuestJob::none);
        EXPECT_FALSE(inspected.observed) << "read, although nothing was refused";
    }
}

TEST_F(LibvirtCalls, AnUnknownGuestIsAbsent) {
    listed();
    const auto nobody = Uuid::parse("00000000-0000-4000-8000-000000000001").value();
    for (const auto kind : {CallKind::start, CallKind::probe}) {
        const auto result = call(nobody, kind);
        EXPECT_EQ(result.status, CallStatus::refused);
        EXPECT_EQ(result.observed.value().state, GuestState::absent);
        EXPECT_EQ(result.observed->uuid, nobody);
    }
}

TEST_F(LibvirtCalls, SetsTheClock) {
    const auto uuid = daemon_.define("guest");
    listed();
    call(uuid, CallKind::start);
    const auto before = std::chrono::system_clock::now();
    const auto result = call(uuid, CallKind::set_time);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    long long seconds = 0;
    unsigned nanoseconds = 0;
    ASSERT_EQ(virDomainGetTime(daemon_.domain(uuid).get(), &seconds, &nanoseconds, 0), 0);
    const auto set = std::chrono::system_clock::time_point{std::chrono::seconds{seconds + 1}};
    EXPECT_GE(set, before);
    EXPECT_LT(set, before + std::chrono::hours{1});
}

TEST_F(LibvirtCalls, SpeaksToADriverWithoutADaemon) {
    EventInbox inbox;
    LibvirtHypervisor local{{.uris = {"test:///default"}}, inbox.sink()};
    local.start();
    const auto listing = inbox.take<InventoryListed>().value();
    ASSERT_EQ(listing.guests.size(), 1U);
    EXPECT_EQ(listing.guests[0].name, "test");
    local.submit({.id = 7, .guest = {UriId{0}, listing.guests[0].uuid}, .kind = CallKind::suspend});
    EXPECT_EQ(inbox.take<CallReturned>().value().observed.value().state, GuestState::paused);
}

}  // namespace
}  // namespace guestd::test
