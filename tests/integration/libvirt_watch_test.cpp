// SPDX-License-Identifier: LGPL-2.1-or-later
/// What is watched for guests that are to start, or have been: pools, networks, block I/O.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libvirt/io_monitor.hpp"
#include "libvirt_qemu_fixture.hpp"

namespace guestd::test {
namespace {

using namespace std::chrono_literals;
using libvirt::Deleter;
using PoolPtr = std::unique_ptr<virStoragePool, Deleter<virStoragePoolFree>>;
using NetworkPtr = std::unique_ptr<virNetwork, Deleter<virNetworkFree>>;

class LibvirtWatch : public ::testing::Test {
protected:
    PrivateLibvirtd daemon_;
    EventInbox inbox_;
    std::unique_ptr<libvirt::LibvirtHypervisor> hypervisor_;

    /// Nobody looks without being told to.
    void SetUp() override {
        hypervisor_ = std::make_unique<libvirt::LibvirtHypervisor>(
            libvirt::Options{.uris = {daemon_.uri()}, .io_interval = 20ms, .need_interval = 24h},
            inbox_.sink());
        hypervisor_->start();
        ASSERT_TRUE(inbox_.take<InventoryListed>());
    }
    void watch(WatchId id, NeedKind kind, const std::string& name) {
        hypervisor_->watch({.id = id, .name = "guest", .what = Need{kind, name}});
    }
    WatchChanged changed(WatchId id) {
        return inbox_.take<WatchChanged>([id](const auto& event) { return event.id == id; })
            .value();
    }
    PoolPtr pool() const {
        return PoolPtr{virStoragePoolLookupByName(daemon_.keeper(), "default-pool")};
    }
};

TEST_F(LibvirtWatch, APoolIsToldOfWhenItComesAndGoes) {
    watch(1, NeedKind::pool, "default-pool");
    EXPECT_TRUE(changed(1).holds);
    ASSERT_EQ(virStoragePoolDestroy(pool().get()), 0);
    auto told = changed(1);
    EXPECT_FALSE(told.holds);
    EXPECT_EQ(told.text, "pool 'default-pool' is not active");
    // Another who asks meanwhile is told as well.
    watch(2, NeedKind::pool, "default-pool");
    EXPECT_FALSE(changed(2).holds);
    ASSERT_EQ(virStoragePoolCreate(pool().get(), 0), 0);
    told = changed(1);
    EXPECT_TRUE(told.holds);
    EXPECT_EQ(told.text, "");
    EXPECT_TRUE(changed(2).holds);

    hypervisor_->unwatch(1);
    ASSERT_EQ(virStoragePoolDestroy(pool().get()), 0);
    EXPECT_FALSE(changed(2).holds);
    ASSERT_EQ(virStoragePoolUndefine(pool().get()), 0);
    EXPECT_EQ(changed(2).text, "no pool 'default-pool'");
    EXPECT_FALSE(inbox_.has<WatchChanged>([](const auto& event) { return event.id == 1; }));
}

TEST_F(LibvirtWatch, ANetworkIsToldOfWhenItIsDefinedAndStarted) {
    watch(7, NeedKind::network, "late");
    EXPECT_EQ(changed(7).text, "no network 'late'");
    const NetworkPtr network{virNetworkDefineXML(
        daemon_.keeper(), "<network><name>late</name><bridge name='virbr7'/></network>")};
    ASSERT_TRUE(network);
    EXPECT_EQ(changed(7).text, "network 'late' is not active");
    ASSERT_EQ(virNetworkCreate(network.get()), 0);
    EXPECT_TRUE(changed(7).holds);
}

TEST_F(LibvirtWatch, WhileLibvirtIsAwayNothingChangesAndThenItIsLookedAtAgain) {
    watch(1, NeedKind::pool, "default-pool");
    watch(2, NeedKind::network, "default");
    EXPECT_TRUE(changed(1).holds);
    EXPECT_TRUE(changed(2).holds);
    ASSERT_EQ(virStoragePoolDestroy(pool().get()), 0);
    EXPECT_FALSE(changed(1).holds);
    daemon_.kill();
    ASSERT_TRUE(inbox_.take<UriLost>());
    EXPECT_EQ(inbox_.count<WatchChanged>(), 0U);
    daemon_.start();  // a new world, in which it is active
    EXPECT_TRUE(changed(1).holds);
    ASSERT_EQ(virStoragePoolDestroy(pool().get()), 0);
    EXPECT_FALSE(changed(1).holds);  // and whose events are heard
    EXPECT_EQ(inbox_.count<WatchChanged>(), 0U);
}

TEST_F(LibvirtWatch, ManyAreWatchedByFewReaders) {
    for (WatchId id = 1; id <= 20; ++id) {
        watch(id, NeedKind::pool, id == 20 ? "default-pool" : "none-" + std::to_string(id));
    }
    for (WatchId id = 1; id <= 20; ++id) {
        EXPECT_EQ(changed(id).holds, id == 20);
    }
}

TEST_F(LibvirtWatch, ADriverWithoutBlockStatisticsIsAskedOnce) {
    const auto uuid = daemon_.define("guest");
    ASSERT_EQ(virDomainCreate(daemon_.domain(uuid).get()), 0);
    hypervisor_->watch(
        {.id = 5, .guest = {UriId{0}, uuid}, .what = Probe{.kind = ProbeKind::io_settle}});
    const auto told = inbox_.take<IoMeasured>().value();
    EXPECT_EQ(told.id, 5U);
    EXPECT_FALSE(told.measured);
}

using LibvirtWatchQemu = LibvirtQemu;

TEST_F(LibvirtWatchQemu, BlockIoOfGuestsThatRunIsMeasured) {
    const auto first = define("first", 16);
    const auto second = define("second", 16);
    connect({.io_interval = 20ms});
    const auto watch = [&](WatchId id, const Uuid& uuid) {
        hypervisor_->watch(
            {.id = id, .guest = {UriId{0}, uuid}, .what = Probe{.kind = ProbeKind::io_settle}});
    };
    const auto measured = [&](WatchId id) {
        return inbox_.take<IoMeasured>([id](const auto& event) { return event.id == id; }).value();
    };
    watch(1, first);  // before it is started: there is nothing to tell yet
    ASSERT_EQ(call(second, CallKind::start).status, CallStatus::done);
    ASSERT_TRUE(wrote(second, 'U'));
    watch(2, second);
    auto told = measured(2);
    EXPECT_TRUE(told.measured);
    EXPECT_GE(told.total, Bytes{512});  // its boot sector
    EXPECT_LT(told.total, Bytes{1 << 20});
    const auto then = told.at;
    EXPECT_GT(then, TimePoint{});
    EXPECT_GT(measured(2).at, then);
    EXPECT_FALSE(inbox_.has<IoMeasured>([](const auto& event) { return event.id == 1; }));

    ASSERT_EQ(call(first, CallKind::start).status, CallStatus::done);
    EXPECT_TRUE(measured(1).measured);
    hypervisor_->unwatch(2);
    while (inbox_.has<IoMeasured>([](const auto& event) { return event.id == 2; })) {
        measured(2);
    }
    measured(1);
    measured(1);
    EXPECT_FALSE(inbox_.has<IoMeasured>([](const auto& event) { return event.id == 2; }));
}

/// As libvirt hands them out, but of a guest of our choice.
class LibvirtBlockBytes : public ::testing::Test {
protected:
    virTypedParameterPtr params_ = nullptr;
    int count_ = 0;
    int most_ = 0;

    // Its functions keep their last error in a thread's storage, which that makes.
    void SetUp() override { ASSERT_EQ(virInitialize(), 0); }
    void TearDown() override { virTypedParamsFree(params_, count_); }
    void disks(unsigned count) {
        virTypedParamsAddUInt(&params_, &count_, &most_, "block.count", count);
    }
    void field(const char* name, unsigned long long value) {
        virTypedParamsAddULLong(&params_, &count_, &most_, name, value);
    }
    libvirt::BlockBytes sum() const {
        return libvirt::block_bytes({.dom = nullptr, .params = params_, .nparams = count_});
    }
};

TEST_F(LibvirtBlockBytes, AreThoseOfAllDisks) {
    EXPECT_FALSE(sum().known);
    disks(2);
    EXPECT_TRUE(sum().known);
    EXPECT_FALSE(sum().total);  // off, or in a job
    field("block.0.rd.bytes", 1);
    field("block.0.wr.bytes", 20);
    field("block.1.rd.bytes", 300);
    field("block.1.wr.bytes", 4000);
    field("block.1.fl.reqs", 50000);
    EXPECT_EQ(sum().total, Bytes{4321});
}

TEST_F(LibvirtBlockBytes, ComeWithTheWaitOfEachVcpuForAProcessor) {
    const auto waits = [&] {
        return libvirt::processor_waits({.dom = nullptr, .params = params_, .nparams = count_});
    };
    EXPECT_EQ(waits(), std::vector<Duration>{});
    virTypedParamsAddUInt(&params_, &count_, &most_, "vcpu.maximum", 3);
    field("vcpu.0.delay", 1'000'000);
    field("vcpu.2.delay", 2'000'000'000);
    EXPECT_EQ(waits(), (std::vector<Duration>{1ms, 0s, 2s}));
}

TEST(ProcessorWait, IsThatOfTheVcpuThatWaitedMostBetweenTwoReadings) {
    libvirt::ProcessorWait wait;
    wait.add({20s, 1s});
    EXPECT_EQ(wait.total(), 0s);
    wait.add({20s, 4s});  // not the one that has waited most in all
    EXPECT_EQ(wait.total(), 3s);
    wait.add({22s, 5s});
    EXPECT_EQ(wait.total(), 5s);
    wait.add({0s, 0s});  // started anew
    EXPECT_EQ(wait.total(), 5s);
    wait.add({1s});
    EXPECT_EQ(wait.total(), 6s);
}

TEST_F(LibvirtBlockBytes, OfAGuestWithoutDisksAreNone) {
    disks(0);
    EXPECT_EQ(sum().total, Bytes{});
}

}  // namespace
}  // namespace guestd::test
