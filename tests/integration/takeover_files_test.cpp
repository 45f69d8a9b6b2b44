// SPDX-License-Identifier: LGPL-2.1-or-later
// Taking over from libvirt on a real disk: a folder that stands for the root of a host.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "takeover/conflicts.hpp"
#include "takeover/handover.hpp"

namespace guestd::takeover {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kMarker = "/run/libvirt/qemu/autostarted";

class TakeoverFiles : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "guestd-takeover-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
    }
    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text = "") {
        fs::create_directories(fs::path{root_ + path}.parent_path());
        std::ofstream{root_ + path} << text;
    }
    void link(const std::string& path, const std::string& target) {
        fs::create_directories(fs::path{root_ + path}.parent_path());
        fs::create_symlink(target, root_ + path);
    }
    bool there(const std::string& path) const { return fs::exists(root_ + path); }
    std::string text(const std::string& path) const {
        std::ostringstream read;
        read << std::ifstream{root_ + path}.rdbuf();
        return read.str();
    }
    std::shared_ptr<const config::Config> config() const {
        const auto loaded = config::Config::load(config::default_sources(root_));
        return loaded ? *loaded : nullptr;
    }
    HostFacts read() const {
        const auto loaded = config();
        return read_host(loaded.get(), root_);
    }
    AutostartMode mode(const std::string& uri = "qemu:///system") const {
        return autostart_setting(*config(), uri).mode;
    }

    std::string root_;
};

TEST_F(TakeoverFiles, ReadAHostThatHasNothing) {
    const auto host = read();
    ASSERT_EQ(host.drivers.size(), 1U);  // guestd looks after qemu:///system by default
    EXPECT_EQ(host.drivers[0].driver.name, "QEMU");
    EXPECT_TRUE(host.drivers[0].throttle);
    EXPECT_EQ(host.drivers[0].origin, "built-in");
    EXPECT_FALSE(host.drivers[0].marker);
    EXPECT_EQ(host.drivers[0].flagged, 0U);
    EXPECT_FALSE(host.guestd_enabled || host.hold_enabled || host.libvirt_guests_enabled ||
                 host.libvirt_guests_active);
    EXPECT_TRUE(host.qemu_conf_readable);
    EXPECT_THAT(host.auto_shutdown, IsEmpty());
}

TEST_F(TakeoverFiles, ReadWhatIsThere) {
    write("/etc/guestd/guestd.toml", "[boot]\n\nautostart = \"leave\"\n");
    write("/etc/libvirt/qemu/autostart/README");
    link("/etc/libvirt/qemu/autostart/db.xml", "/etc/libvirt/qemu/db.xml");
    link("/etc/libvirt/qemu/autostart/web.xml", "/etc/libvirt/qemu/web.xml");
    write(kMarker);
    write("/run/libvirt/lxc/driver.pid");
    const std::string system = "/etc/systemd/system/";
    link(system + "multi-user.target.wants/guestd.service", "/lib/systemd/system/guestd.service");
    link(system + "libvirtd.service.requires/guestd-autostart.service", "/nowhere");
    link("/run/systemd/system/multi-user.target.wants/libvirt-guests.service", "/nowhere");
    link("/run/systemd/units/invocation:libvirt-guests.service", "0123456789abcdef");
    write("/etc/libvirt/qemu.conf", "auto_shutdown_poweroff = \"all\"\n");
    const auto host = read();
    ASSERT_EQ(host.drivers.size(), 2U);
    const auto& qemu = host.drivers[0];
    EXPECT_EQ(qemu.setting, "leave");
    EXPECT_FALSE(qemu.throttle);
    EXPECT_EQ(qemu.origin, root_ + "/etc/guestd/guestd.toml:3");
    EXPECT_TRUE(qemu.marker);
    EXPECT_EQ(qemu.flagged, 2U);
    EXPECT_EQ(host.drivers[1].driver.name, "LXC");
    EXPECT_FALSE(host.drivers[1].configured);
    EXPECT_EQ(host.drivers[1].setting, "");
    EXPECT_TRUE(host.guestd_enabled);
    EXPECT_TRUE(host.hold_enabled);
    EXPECT_TRUE(host.libvirt_guests_enabled);
    EXPECT_TRUE(host.libvirt_guests_active);
    EXPECT_THAT(host.auto_shutdown, ElementsAre("auto_shutdown_poweroff = \"all\""));
}

TEST_F(TakeoverFiles, AMaskedUnitIsNotEnabled) {
    link("/etc/systemd/system/multi-user.target.wants/libvirt-guests.service", "/nowhere");
    link("/etc/systemd/system/libvirt-guests.service", "/dev/null");
    EXPECT_FALSE(read().libvirt_guests_enabled);
}

TEST_F(TakeoverFiles, AreNotTrustedToBeFiles) {
    fs::create_directories(root_ + "/etc/libvirt");
    ASSERT_EQ(::mkfifo((root_ + "/etc/libvirt/qemu.conf").c_str(), 0600), 0);
    write("/etc/libvirt/qemu/autostart");  // a file where a folder should be
    const auto host = read();
    EXPECT_FALSE(host.qemu_conf_readable);
    EXPECT_EQ(host.drivers.at(0).flagged, std::nullopt);
}

TEST_F(TakeoverFiles, SayWhoStartsWithARefusedConfiguration) {
    write("/etc/guestd/guestd.toml", "[boot]\nautostart = \"perhaps\"\n");
    write("/run/libvirt/qemu/driver.pid");
    const auto host = read_host(nullptr, root_);
    ASSERT_EQ(host.drivers.size(), 1U);
    EXPECT_EQ(starter_of(host.drivers[0], host), Starter::libvirt);
    for (const auto& done : {give(root_), take(root_)}) {
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code(), ErrorCode::invalid);
        EXPECT_THAT(done.error().message(), HasSubstr("guestd.toml:2"));
    }
    EXPECT_FALSE(there(kDropIn) || there(kMarker));
}

TEST_F(TakeoverFiles, GiveAndTake) {
    write(kMarker, "of libvirt");
    const auto given = give(root_);
    ASSERT_TRUE(given) << given.error().message();
    EXPECT_THAT(*given, ElementsAre(HasSubstr("90-autostart.toml says autostart = \"leave\"")));
    EXPECT_EQ(mode(), AutostartMode::leave);
    EXPECT_EQ(text(kMarker), "of libvirt");  // libvirt starts nobody in this boot
    EXPECT_EQ(fs::status(root_ + kDropIn).permissions(), fs::perms{0644});
    EXPECT_TRUE(give(root_));  // again: nothing wrong with that

    fs::remove(root_ + kMarker);
    const auto taken = take(root_);
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_THAT(*taken, ElementsAre(HasSubstr("was removed"), HasSubstr("holds libvirt off")));
    EXPECT_FALSE(there(kDropIn));
    EXPECT_EQ(mode(), AutostartMode::throttle);
    EXPECT_TRUE(there(kMarker));
    EXPECT_EQ(fs::status(root_ + kMarker).permissions(), fs::perms{0600});
    write(kMarker, "kept");
    EXPECT_TRUE(take(root_));
    EXPECT_EQ(text(kMarker), "kept");
}

TEST_F(TakeoverFiles, LeaveAloneWhatAnAdministratorHasWritten) {
    write("/etc/guestd/guestd.toml", "[boot]\nautostart = \"leave\"\n");
    const auto taken = take(root_);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message(), HasSubstr("guestd.toml:2"));
    EXPECT_FALSE(there(kMarker));
    write("/etc/guestd/guestd.toml.d/99-mine.toml", "[boot]\nautostart = \"throttle\"\n");
    const auto given = give(root_);
    ASSERT_FALSE(given);
    EXPECT_THAT(given.error().message(), HasSubstr("99-mine.toml:2"));
    EXPECT_FALSE(there(kDropIn));
    fs::rename(root_ + "/etc/guestd/guestd.toml.d/99-mine.toml",
               root_ + "/etc/guestd/guestd.toml.d/10-mine.toml");
    EXPECT_TRUE(give(root_));
    EXPECT_TRUE(take(root_));
}

TEST_F(TakeoverFiles, HoldOffOnlyWhatGuestdStarts) {
    write("/etc/guestd/guestd.toml",
          "[daemon]\nuris = [\"qemu:///system\", \"lxc:///\", \"qemu+ssh://b/system\"]\n"
          "[[uri]]\nuri = \"qemu:///system\"\nboot.autostart = \"leave\"\n");
    ASSERT_TRUE(take(root_));
    EXPECT_FALSE(there(kMarker));
    EXPECT_TRUE(there("/run/libvirt/lxc/autostarted"));
    EXPECT_FALSE(there("/run/libvirt/libxl"));
}

TEST_F(TakeoverFiles, SayWhenTheDiskIsReadOnly) {
    write("/etc/guestd/guestd.toml.d");  // a file where the folder should be
    const auto given = give(root_);
    ASSERT_FALSE(given);
    EXPECT_THAT(given.error().message(), HasSubstr("guestd.toml.d"));
    write("/run/libvirt");
    const auto taken = take(root_);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), ErrorCode::io);
}

}  // namespace
}  // namespace guestd::takeover
