// SPDX-License-Identifier: LGPL-2.1-or-later
/// Saved images: what is seen of them before a restore, and how they are set aside.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libvirt/disk_files.hpp"
#include "libvirt/saved_image.hpp"
#include "libvirt_qemu_fixture.hpp"

namespace guestd::test {
namespace {

using namespace std::chrono_literals;
using std::filesystem::path;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LibvirtImage : public LibvirtQemu {
protected:
    path image(const std::string& name) const {
        for (const auto& each : std::filesystem::recursive_directory_iterator{daemon_.folder()}) {
            if (each.path().filename() == name + ".save") {
                return each.path();
            }
        }
        return {};
    }
    std::vector<path> set_aside() const {
        std::vector<path> found;
        for (const auto& each : std::filesystem::directory_iterator{image_folder()}) {
            if (each.path().string().find(".save.set-aside-2") != std::string::npos) {
                found.push_back(each.path());
            }
        }
        return found;
    }
    /// Where this libvirtd, which is nobody's standard one, keeps them.
    path image_folder() const { return file("libvirt/qemu/save"); }
    void listed() { connect({.save_folders = {image_folder().string()}}); }
    CallReturned saved(const Uuid& uuid) {
        const auto started = call(uuid, CallKind::start);
        EXPECT_EQ(started.status, CallStatus::done) << started.message;
        auto result = call(uuid, CallKind::save);
        EXPECT_EQ(result.status, CallStatus::done) << result.message;
        return result;
    }
    SavedImage inspected(const Uuid& uuid) {
        const auto result = call(uuid, CallKind::inspect_image);
        EXPECT_EQ(result.status, CallStatus::done) << result.message;
        return result.image.value();
    }
    CallReturned force_boot(const Uuid& uuid) {
        hypervisor_->submit({.id = ++last_,
                             .guest = {UriId{0}, uuid},
                             .kind = CallKind::start,
                             .force_boot = true});
        return returned(last_);
    }
    std::string definition(const Uuid& uuid, unsigned flags) const {
        const libvirt::TextPtr xml{virDomainGetXMLDesc(daemon_.domain(uuid).get(), flags)};
        return xml.get();
    }
};

TEST_F(LibvirtImage, IsTheSameUntilADiskIsWrittenTo) {
    const auto uuid = define("guest", 16,
                             "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/>"
                             "<readonly/></disk>");
    listed();
    const auto none = call(uuid, CallKind::inspect_image);
    EXPECT_EQ(none.status, CallStatus::done);
    EXPECT_FALSE(none.image);
    const auto before = saved(uuid).image.value();
    EXPECT_FALSE(before.partial);
    EXPECT_THAT(before.identity, HasSubstr(file("guest.img").string()));
    EXPECT_THAT(before.identity, HasSubstr(image("guest").string()));
    EXPECT_THAT(inspected(uuid).differences, IsEmpty());
    EXPECT_EQ(inspected(uuid).identity, before.identity);

    // What libvirt does with each start.
    const auto disk = file("guest.img");
    ASSERT_EQ(chmod(disk.c_str(), 0600), 0);
    EXPECT_EQ(inspected(uuid).identity, before.identity);
    ASSERT_EQ(chmod(disk.c_str(), 0666), 0);

    // The same size, and the same contents.
    std::fstream{disk, std::ios::in | std::ios::out}.put('\xfa');
    const auto written = inspected(uuid).identity;
    EXPECT_NE(written, before.identity);
    std::filesystem::rename(disk, file("elsewhere"));
    const auto gone = inspected(uuid).identity;
    EXPECT_NE(gone, written);
    EXPECT_NE(gone, "");
}

TEST_F(LibvirtImage, ThatIsNotWholeIsSeenToBe) {
    const auto uuid = define("guest", 16);
    listed();
    saved(uuid);
    std::fstream{image("guest"), std::ios::in | std::ios::out} << "LibvirtQemudPart";
    const auto seen = inspected(uuid);
    EXPECT_TRUE(seen.partial);
    EXPECT_TRUE(std::filesystem::exists(image("guest")));
    // Nothing to keep.
    const auto booted = force_boot(uuid);
    EXPECT_EQ(booted.status, CallStatus::done) << booted.message;
    EXPECT_EQ(booted.message, "the saved image was dropped: it was not whole");
    EXPECT_THAT(set_aside(), IsEmpty());
}

TEST_F(LibvirtImage, WithoutAKnownFolderOnlyDifferencesAreTold) {
    const auto uuid = define("guest", 16);
    connect();
    EXPECT_EQ(saved(uuid).image.value().identity, "");
    EXPECT_EQ(inspected(uuid).identity, "");
    EXPECT_EQ(force_boot(uuid).message,
              "the saved image was dropped: it is not known where libvirt keeps it");
}

TEST_F(LibvirtImage, DifferencesAreThoseThatAnAdministratorMade) {
    const auto uuid = define("guest", 16,
                             "<interface type='user'><mac address='52:54:00:12:34:56'/></interface>"
                             "<serial type='null'/><console type='null'/><sound model='ich6'/>"
                             "<channel type='unix'><target type='virtio' name='x'/></channel>"
                             "<graphics type='vnc'/><watchdog model='i6300esb'/>"
                             "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/>"
                             "</disk>",
                             "<cpu mode='maximum'/>");
    listed();
    saved(uuid);
    ASSERT_THAT(inspected(uuid).differences, IsEmpty());
    // libvirt's own text once more, and the guest's as it was when it ran.
    auto xml = definition(uuid, VIR_DOMAIN_XML_INACTIVE);
    const auto edit = [&](const std::string& what, const std::string& by) {
        const auto at = xml.find(what);
        ASSERT_NE(at, std::string::npos) << what;
        xml.replace(at, what.size(), by);
    };
    edit("<memory unit='KiB'>16384<", "<memory unit='KiB'>32768<");
    edit("<vcpu placement='static'>1<", "<vcpu placement='static'>2<");
    edit("<watchdog",
         "<disk type='file' device='disk'><source file='/extra'/>"
         "<target dev='hdb' bus='ide'/></disk><watchdog");
    daemon_.define_xml(xml);
    EXPECT_THAT(inspected(uuid).differences,
                ElementsAre("memory: 16 MiB in the image, 32 MiB in the definition",
                            "vcpus: 1 in the image, 2 in the definition",
                            "disk hdb (/extra): only in the definition"));
}

TEST_F(LibvirtImage, IsSetAsideWhenTheGuestIsToBootWithoutIt) {
    const auto uuid = define("guest", 16);
    listed();
    saved(uuid);
    const auto size = std::filesystem::file_size(image("guest"));
    const auto result = force_boot(uuid);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_FALSE(result.observed.value().managed_save);
    EXPECT_TRUE(saw(uuid, Lifecycle::booted));
    ASSERT_EQ(set_aside().size(), 1U);
    EXPECT_EQ(result.message, "the saved image was set aside as " + set_aside()[0].string());
    EXPECT_EQ(std::filesystem::file_size(set_aside()[0]), size);
    EXPECT_EQ(image("guest"), path{});
    ASSERT_EQ(call(uuid, CallKind::destroy_forced).status, CallStatus::done);
    EXPECT_EQ(force_boot(uuid).message, "");  // nothing to set aside
}

TEST_F(LibvirtImage, StaysSetAsideWhenTheBootFails) {
    const auto uuid = define("guest", 16);
    listed();
    saved(uuid);
    std::filesystem::remove(file("guest.img"));
    const auto result = force_boot(uuid);
    EXPECT_EQ(result.status, CallStatus::refused);
    EXPECT_THAT(result.missing, ElementsAre(file("guest.img").string()));
    ASSERT_EQ(set_aside().size(), 1U);
    EXPECT_THAT(result.message, HasSubstr("; the saved image was set aside as "));
    EXPECT_FALSE(result.observed.value().managed_save);
}

TEST_F(LibvirtImage, IsPutBackWhenLibvirtHasNotDroppedIt) {
    const auto uuid = define("guest", 16);
    listed();
    saved(uuid);
    libvirt::UriContext context{UriId{0}, daemon_.uri(), [](const Event&) {}};
    context.space = std::make_shared<libvirt::SaveSpace>(image_folder());
    const auto saved_at = image("guest");
    {
        libvirt::SetAside aside{context, daemon_.domain(uuid).get()};
        libvirt::SetAside another{context, daemon_.domain(uuid).get()};  // in the same second
        EXPECT_EQ(set_aside().size(), 2U);
        EXPECT_TRUE(std::filesystem::exists(saved_at));
        aside.undo();
        another.undo();
        EXPECT_EQ(aside.text(), "");
    }
    EXPECT_THAT(set_aside(), IsEmpty());
    EXPECT_FALSE(inspected(uuid).partial);
    EXPECT_EQ(call(uuid, CallKind::start).status, CallStatus::done);
    EXPECT_TRUE(saw(uuid, Lifecycle::restored));
}

TEST_F(LibvirtImage, IsRenamedWhereThereAreNoHardLinks) {
    const auto uuid = define("guest", 16);
    listed();
    saved(uuid);
    const auto original = image("guest");
    const auto size = std::filesystem::file_size(original);
    ASSERT_TRUE(libvirt::swap_for_empty(original, original.string() + ".set-aside-2"));
    const auto result = force_boot(uuid);
    EXPECT_EQ(result.status, CallStatus::done) << result.message;
    EXPECT_FALSE(result.observed.value().managed_save);
    EXPECT_EQ(std::filesystem::file_size(original.string() + ".set-aside-2"), size);
    EXPECT_EQ(image("guest"), path{});
    EXPECT_FALSE(libvirt::swap_for_empty(original, "/x"));
}

TEST(LibvirtDiskFiles, AreThoseWithAPath) {
    constexpr auto kXml = R"(<domain><devices>
        <disk type='file' device='disk'><source file='/a'/><target dev='vda'/></disk>
        <disk type='block' device='lun'><source dev='/dev/b'/><target dev='sda'/></disk>
        <disk type='network'><source protocol='rbd' name='x'/><target dev='vdb'/></disk>
        <disk type='file' device='cdrom'><source file='/c.iso' startupPolicy='optional'/></disk>
        <disk type='file' device='disk'><source file='/d'/><readonly/></disk>
        <disk type='file' device='disk'><source file='/e'/><transient/></disk>
        <disk type='file' device='cdrom'/><disk type='block'><source dev=''/></disk></devices></domain>)";
    std::vector<std::string> seen;
    for (const auto& file : libvirt::disk_files(kXml)) {
        seen.push_back(file.path + (file.writable ? " w" : "") + (file.optional ? " o" : ""));
    }
    EXPECT_THAT(seen, ElementsAre("/a w", "/dev/b w", "/c.iso o", "/d", "/e"));
    EXPECT_THAT(libvirt::missing_files(
                    {{"/no/such"}, {"/"}, {"/dev/null/x"}, {.path = "/none", .optional = true}}),
                ElementsAre("/no/such", "/dev/null/x"));
    EXPECT_THAT(libvirt::disk_files("nonsense"), IsEmpty());
}

}  // namespace
}  // namespace guestd::test
