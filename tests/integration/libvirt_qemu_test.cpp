// SPDX-License-Identifier: LGPL-2.1-or-later
/// What only real guests show: images with sizes, jobs to watch and abort, the power button.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include "libvirt_qemu_fixture.hpp"

namespace guestd::test {
namespace {

using libvirt::LibvirtHypervisor;
using namespace std::chrono_literals;

TEST_F(LibvirtQemu, GuestsStartSaveRestoreAndShutDown) {
    std::vector<Uuid> guests;
    for (int i = 0; i < 10; ++i) {
        guests.push_back(define("guest-" + std::to_string(i), 16));
    }
    const auto listing = connect({.long_calls = 4});
    ASSERT_EQ(listing.guests.size(), 10U);
    EXPECT_EQ(listing.guests[0].memory, Bytes{16 << 20});

    const auto all = [&](CallKind kind) {
        std::vector<CallId> ids;
        for (const auto& uuid : guests) {
            ids.push_back(submit(uuid, kind));
        }
        std::vector<CallReturned> results;
        for (const auto id : ids) {
            results.push_back(returned(id));
            EXPECT_EQ(results.back().status, CallStatus::done) << results.back().message;
        }
        return results;
    };
    for (const auto& result : all(CallKind::start)) {
        EXPECT_EQ(result.observed.value().state, GuestState::running);
        EXPECT_TRUE(saw(result.guest.uuid, Lifecycle::booted));
        EXPECT_TRUE(wrote(result.guest.uuid, 'U'));
    }
    for (const auto& result : all(CallKind::save)) {
        EXPECT_EQ(result.observed.value().state, GuestState::shutoff);
        EXPECT_TRUE(result.observed->managed_save);
        EXPECT_GT(result.bytes, Bytes{100'000});
        EXPECT_TRUE(saw(result.guest.uuid, Lifecycle::saved));
        EXPECT_TRUE(inbox_.take<SaveWritten>(
            [&](const auto& event) { return event.guest == result.guest; }));
    }
    for (const auto& result : all(CallKind::start)) {
        EXPECT_FALSE(result.observed.value().managed_save);
        EXPECT_TRUE(saw(result.guest.uuid, Lifecycle::restored));
    }
    all(CallKind::shutdown_acpi);
    for (const auto& uuid : guests) {
        EXPECT_TRUE(saw(uuid, Lifecycle::shutting_down));
        EXPECT_TRUE(saw(uuid, Lifecycle::shut_down));
        EXPECT_TRUE(wrote(uuid, 'D'));
    }
}

TEST_F(LibvirtQemu, ASaveIsWatchedFoundAndAborted) {
    const auto uuid = define("large", 4096);
    connect({.progress_interval = 20ms});
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    ASSERT_TRUE(wrote(uuid, 'U'));
    const auto save = submit(uuid, CallKind::save);
    const auto progress =
        inbox_.take<SaveProgressed>([](const auto& event) { return event.done > Bytes{}; });
    ASSERT_TRUE(progress);
    EXPECT_GE(progress->total, Bytes{4096ULL << 20});
    EXPECT_LE(progress->done, progress->total);
    // Its memory is all but empty: next to nothing is written for what is done.
    EXPECT_GT(progress->written, Bytes{});
    EXPECT_LT(progress->written.count, progress->done.count / 10);
    EXPECT_EQ(progress->guest.uuid, uuid);

    const auto probe = call(uuid, CallKind::probe);
    EXPECT_EQ(probe.observed.value().state, GuestState::paused);
    EXPECT_TRUE(probe.observed->saving);
    EXPECT_EQ(call(uuid, CallKind::inspect).job, GuestJob::save);
    // Somebody who comes while it is under way finds it, and is told of its progress.
    EventInbox inbox;
    LibvirtHypervisor late{{.uris = {daemon_.uri()}, .progress_interval = 20ms}, inbox.sink()};
    late.start();
    EXPECT_TRUE(inbox.take<InventoryListed>().value().guests.at(0).saving);
    EXPECT_TRUE(inbox.take<SaveProgressed>());

    const auto abort = call(uuid, CallKind::abort_job);
    EXPECT_EQ(abort.status, CallStatus::done) << abort.message;
    const auto result = returned(save);
    EXPECT_EQ(result.status, CallStatus::aborted) << result.message;
    EXPECT_EQ(result.observed.value().state, GuestState::running);
    EXPECT_FALSE(result.observed->managed_save);
    EXPECT_FALSE(result.observed->saving);
}

TEST_F(LibvirtQemu, ASaveWhoseLibvirtdDiesIsUnknown) {
    const auto uuid = define("large", 4096);
    connect({.progress_interval = 20ms});
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    const auto save = submit(uuid, CallKind::save);
    ASSERT_TRUE(inbox_.take<SaveProgressed>());
    daemon_.kill();
    const auto result = returned(save);
    EXPECT_EQ(result.status, CallStatus::unknown) << result.message;
    EXPECT_FALSE(result.observed);
    daemon_.start();
    const auto listing = inbox_.take<InventoryListed>().value();
    EXPECT_TRUE(is_active(listing.guests.at(0).state)) << to_string(listing.guests.at(0).state);
}

/// libvirtd 9.0 tells nobody of a guest that ends while it is being taken over.
TEST_F(LibvirtQemu, AGuestThatANewLibvirtdFindsGoneIsLookedAt) {
    const auto uuid = define("guest", 16);
    connect();
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    pid_t qemu = 0;
    std::ifstream{file("libvirt/qemu/run/guest.pid")} >> qemu;
    ASSERT_GT(qemu, 0);
    ::kill(qemu, SIGSTOP);
    daemon_.kill();
    daemon_.start();
    const auto listing = inbox_.take<InventoryListed>().value();
    EXPECT_TRUE(is_active(listing.guests.at(0).state)) << to_string(listing.guests.at(0).state);
    ::kill(qemu, SIGKILL);
    EXPECT_TRUE(saw(uuid, Lifecycle::defined));  // which asks for a look
    EXPECT_EQ(call(uuid, CallKind::probe).observed.value().state, GuestState::shutoff);
}

TEST_F(LibvirtQemu, AnAgentChannelIsFound) {
    const auto with = define("with", 16,
                             "<channel type='unix'><target type='virtio' "
                             "name='org.qemu.guest_agent.0'/></channel>");
    const auto without = define("without", 16);
    connect();
    EXPECT_TRUE(call(with, CallKind::start).observed.value().agent_channel);
    EXPECT_FALSE(call(without, CallKind::start).observed.value().agent_channel);
    // One that comes later looks for itself, after the listing.
    EventInbox inbox;
    LibvirtHypervisor late{{.uris = {daemon_.uri()}}, inbox.sink()};
    late.start();
    const auto agent = inbox.take<AgentChanged>().value();
    EXPECT_EQ(agent.guest.uuid, with);
    EXPECT_FALSE(agent.connected);
}

/// By autostart-once or by metadata, as this libvirt has it.
TEST_F(LibvirtQemu, AMarkIsMadeFoundAndTakenAway) {
    const auto off = define("off", 16);
    const auto on = define("on", 16);
    connect();
    ASSERT_EQ(call(on, CallKind::start).status, CallStatus::done);
    for (const auto& uuid : {off, on}) {
        const auto marked = call(uuid, CallKind::remember);
        EXPECT_EQ(marked.status, CallStatus::done) << marked.message;
        const auto seen = call(uuid, CallKind::probe).observed.value();
        EXPECT_TRUE(seen.remembered);
        EXPECT_EQ(is_active(seen.state), uuid == on);
    }
    EventInbox inbox;
    LibvirtHypervisor late{{.uris = {daemon_.uri()}}, inbox.sink()};
    late.start();
    const auto listing = inbox.take<InventoryListed>().value();
    for (const auto& guest : listing.guests) {
        EXPECT_EQ(guest.remembered, guest.uuid == off) << to_string(guest.state);
    }
    const auto left_over = inbox.take<GuestChanged>().value();
    EXPECT_EQ(left_over.guest.uuid, on);
    EXPECT_EQ(left_over.what, Lifecycle::defined);
    for (const auto& uuid : {off, on}) {
        const auto taken = call(uuid, CallKind::forget);
        EXPECT_EQ(taken.status, CallStatus::done) << taken.message;
        EXPECT_FALSE(call(uuid, CallKind::probe).observed.value().remembered);
    }
}

TEST_F(LibvirtQemu, AGuestThatPanickedIsCrashedAndNotPaused) {
    // mov dx, 0x505; mov al, 1; out dx, al; hlt: all that a pvpanic device asks for.
    const std::string code{"\xBA\x05\x05\xB0\x01\xEE\xF4\xEB\xFD", 9};
    std::filesystem::rename(file("sector"), file("healthy"));
    std::ofstream{file("sector"), std::ios::binary} << code << std::string(501, '\0') << "\x55\xAA";
    const auto uuid = define("panics", 16, "<panic model='isa'/>", "<on_crash>preserve</on_crash>");
    connect();
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    EXPECT_TRUE(saw(uuid, Lifecycle::defined));  // which asks for a second look
    EXPECT_EQ(call(uuid, CallKind::probe).observed.value().state, GuestState::crashed);
}

/// Images on a file system without O_DIRECT, in a mount namespace that ends with the process.
class LibvirtQemuOnRamfs : public LibvirtQemu {
protected:
    std::filesystem::path folder_ = file("libvirt/qemu/save");
    bool mounted_ = false;

    void SetUp() override {
        LibvirtQemu::SetUp();
        daemon_.kill();
        std::filesystem::create_directories(folder_);
        mounted_ = unshare(CLONE_NEWNS) == 0 &&
                   mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                   mount("none", folder_.c_str(), "ramfs", 0, nullptr) == 0;
        daemon_.start();
        if (!mounted_) {
            GTEST_SKIP() << "needs root, and a kernel with ramfs";
        }
        std::filesystem::permissions(folder_, std::filesystem::perms{0777});
    }
    void TearDown() override {
        LibvirtQemu::TearDown();
        if (mounted_) {
            umount2(folder_.c_str(), MNT_DETACH);
        }
    }
};

TEST_F(LibvirtQemuOnRamfs, BypassingTheCacheIsGivenUp) {
    const auto uuid = define("guest", 16);
    connect();
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    for (const auto kind : {CallKind::save, CallKind::start}) {
        hypervisor_->submit(
            {.id = ++last_, .guest = {UriId{0}, uuid}, .kind = kind, .bypass_cache = true});
        const auto result = returned(last_);
        EXPECT_EQ(result.status, CallStatus::done) << result.message;
        EXPECT_EQ(result.observed.value().managed_save, kind == CallKind::save);
    }
    // libvirt 11.3 has to be kept from losing the image.
    EXPECT_TRUE(saw(uuid, Lifecycle::restored));
}

TEST_F(LibvirtQemu, ForceBootDropsTheImage) {
    const auto uuid = define("guest", 16);
    connect();
    ASSERT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    ASSERT_EQ(call(uuid, CallKind::save).status, CallStatus::done);
    EXPECT_TRUE(saw(uuid, Lifecycle::booted));
    hypervisor_->submit(
        {.id = ++last_, .guest = {UriId{0}, uuid}, .kind = CallKind::start, .force_boot = true});
    const auto result = returned(last_);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_FALSE(result.observed.value().managed_save);
    EXPECT_TRUE(saw(uuid, Lifecycle::booted));
}

}  // namespace
}  // namespace guestd::test
