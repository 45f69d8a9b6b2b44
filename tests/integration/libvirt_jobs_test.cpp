// SPDX-License-Identifier: LGPL-2.1-or-later
/// Jobs of others on real guests: found, and aborted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libvirt/jobs.hpp"
#include "libvirt/mapping.hpp"
#include "libvirt/observe.hpp"
#include "libvirt_qemu_fixture.hpp"

namespace guestd::test {
namespace {

using libvirt::job_of;

class LibvirtJobs : public LibvirtQemu {
protected:
    Uuid running(const std::string& name, const std::string& devices = {}) {
        const auto uuid = define(name, 16, devices);
        EXPECT_EQ(virDomainCreate(daemon_.domain(uuid).get()), 0);
        return uuid;
    }
    /// A copy of a disk stays a job until somebody ends it, however small the disk.
    void copy(const Uuid& uuid, const std::string& disk) {
        const auto xml = "<disk type='file'><source file='" + file(disk + ".copy").string() +
                         "'/><driver type='raw'/></disk>";
        ASSERT_EQ(virDomainBlockCopy(daemon_.domain(uuid).get(), disk.c_str(), xml.c_str(), nullptr,
                                     0, VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB),
                  0)
            << virGetLastErrorMessage();
    }
    std::string blank_disk(const std::string& target) {
        const auto image = file(target + ".img");
        std::filesystem::copy_file(file("sector"), image);
        std::filesystem::permissions(image, std::filesystem::perms{0666});
        return "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='" +
               image.string() + "'/><target dev='" + target + "' bus='virtio'/></disk>";
    }
};

TEST_F(LibvirtJobs, ABackupIsFoundAndAborted) {
    const auto uuid = running("idle");
    const auto off = define("off", 16);
    connect();
    const auto result = call(uuid, CallKind::inspect);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_EQ(result.job, GuestJob::none);
    EXPECT_EQ(call(uuid, CallKind::abort_block).status, CallStatus::done);

    const auto xml = "<domainbackup mode='pull'><server transport='unix' socket='" +
                     file("nbd").string() + "'/></domainbackup>";
    ASSERT_EQ(virDomainBackupBegin(daemon_.domain(uuid).get(), xml.c_str(), nullptr, 0), 0)
        << virGetLastErrorMessage();
    EXPECT_EQ(call(uuid, CallKind::inspect).job, GuestJob::backup);
    const auto aborted = call(uuid, CallKind::abort_job);
    EXPECT_EQ(aborted.status, CallStatus::done) << aborted.message;
    // QEMU ends it in its own time. One that never ends meets the test's own limit.
    while (call(uuid, CallKind::inspect).job != GuestJob::none) {
    }

    const auto refused = call(off, CallKind::inspect);
    EXPECT_EQ(refused.status, CallStatus::refused);
    EXPECT_EQ(refused.observed.value().state, GuestState::shutoff);
}

TEST_F(LibvirtJobs, BlockJobsOfEveryDiskAreFoundAndAborted) {
    const auto uuid = running("copied", blank_disk("vda") + blank_disk("vdb"));
    connect();
    copy(uuid, "vda");
    copy(uuid, "vdb");
    EXPECT_EQ(call(uuid, CallKind::inspect).job, GuestJob::block);
    const auto aborted = call(uuid, CallKind::abort_block);
    EXPECT_EQ(aborted.status, CallStatus::done) << aborted.message;
    EXPECT_EQ(aborted.observed.value().state, GuestState::running);
    for (const char* disk : {"vda", "vdb"}) {
        virDomainBlockJobInfo info{};
        EXPECT_EQ(virDomainGetBlockJobInfo(daemon_.domain(uuid).get(), disk, &info, 0), 0) << disk;
    }
    EXPECT_EQ(call(uuid, CallKind::inspect).job, GuestJob::none);
}

TEST_F(LibvirtJobs, ADiskThatWasPluggedInIsLookedAtToo) {
    const auto uuid = running("plugged");
    connect();
    ASSERT_EQ(call(uuid, CallKind::inspect).job, GuestJob::none);  // its disks are known now
    ASSERT_EQ(virDomainAttachDeviceFlags(daemon_.domain(uuid).get(), blank_disk("vda").c_str(),
                                         VIR_DOMAIN_AFFECT_LIVE),
              0)
        << virGetLastErrorMessage();
    copy(uuid, "vda");
    // The event of the device has no echo; one that comes after it does.
    ASSERT_EQ(virDomainSuspend(daemon_.domain(uuid).get()), 0);
    ASSERT_TRUE(saw(uuid, Lifecycle::suspended));
    EXPECT_EQ(call(uuid, CallKind::inspect).job, GuestJob::block);
}

TEST(LibvirtJobMapping, Operations) {
    EXPECT_EQ(job_of(VIR_DOMAIN_JOB_OPERATION_SAVE), GuestJob::save);
    EXPECT_EQ(job_of(VIR_DOMAIN_JOB_OPERATION_BACKUP), GuestJob::backup);
    EXPECT_EQ(job_of(VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT), GuestJob::migration);
    EXPECT_EQ(job_of(VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN), GuestJob::other);
    EXPECT_EQ(job_of(VIR_DOMAIN_JOB_OPERATION_SNAPSHOT), GuestJob::other);
    EXPECT_EQ(job_of(VIR_DOMAIN_JOB_OPERATION_UNKNOWN), GuestJob::other);
    EXPECT_EQ(job_of(99), GuestJob::other);
}

}  // namespace
}  // namespace guestd::test
