// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl import, below a folder that stands for a host's root.

#include <fstream>
#include <sstream>

#include "bus_fixture.hpp"
#include "config/config.hpp"

namespace guestd::bus::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Import : public testing::Test {
protected:
    Import() {
        std::string name = (std::filesystem::temp_directory_path() / "guestd-imp-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error{"cannot make a folder"};
        root = name;
    }
    ~Import() override { std::filesystem::remove_all(root); }

    void write(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path{root + path}.parent_path());
        std::ofstream{root + path} << text;
    }
    std::string read(const std::string& path) const {
        std::stringstream text;
        text << std::ifstream{root + path}.rdbuf();
        return text.str();
    }
    Finished import(std::vector<std::string> more = {}) const {
        more.insert(more.begin(), {"import", "--root", root});
        return guestctl(more);
    }

    static constexpr const char* kDropIn = "/etc/guestd/guestd.toml.d/50-libvirt-guests.toml";
    std::string root;
};

TEST_F(Import, ShowsFirstThenWritesOnce) {
    write("/etc/default/libvirt-guests",
          "URIS='default lxc:///'\nON_BOOT=ignore\nON_SHUTDOWN=suspend\nPARALLEL_SHUTDOWN=5\n");
    const Finished shown = import();
    EXPECT_EQ(shown.status, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("--- /dev/null\n"));
    EXPECT_THAT(shown.out, HasSubstr("+boot.resume = false\n"));
    EXPECT_THAT(shown.out, HasSubstr("warning: ON_SHUTDOWN=suspend"));
    EXPECT_THAT(shown.out, Not(HasSubstr("PARALLEL_SHUTDOWN is not set")));
    EXPECT_THAT(shown.out, HasSubstr("Nothing was written"));
    EXPECT_FALSE(std::filesystem::exists(root + kDropIn));

    EXPECT_THAT(import({"--apply"}).out, HasSubstr("Written."));
    // What guestd makes of it is what was meant.
    const auto config = config::Config::load(config::file_source(root + kDropIn));
    ASSERT_TRUE(config);
    EXPECT_THAT((*config)->daemon().uris, ElementsAre("qemu:///system", "lxc:///"));
    const auto policy = (*config)->guest({"lxc:///", {}, "x", {}}, std::nullopt);
    EXPECT_FALSE(policy.start.resume);
    EXPECT_EQ(policy.stop.stop.front().kind, StepKind::save);
    EXPECT_EQ((*config)->uri("lxc:///", std::nullopt).parallel_shutdown, 5U);

    const std::string written = read(kDropIn);
    const Finished again = import({"--apply"});
    EXPECT_THAT(again.out, HasSubstr("says all of it already"));
    EXPECT_THAT(again.out, Not(HasSubstr("Written.")));
    EXPECT_EQ(read(kDropIn), written);

    write("/etc/default/libvirt-guests", "URIS='default lxc:///'\nON_BOOT=start\n");
    const Finished changed = import();
    EXPECT_THAT(changed.out, HasSubstr("-boot.resume = false\n"));
    EXPECT_THAT(changed.out, HasSubstr("+boot.resume = true\n"));
    EXPECT_THAT(changed.out, Not(HasSubstr("+daemon.uris")));  // that stays
}

TEST_F(Import, TellsWhatItCannotTakeOver) {
    write("/etc/sysconfig/libvirt-guests", "ON_BOOT=$(evil)\nSTART_DELAY=3\nCOLOUR=red\n");
    const Finished shown = import();
    EXPECT_THAT(shown.out, HasSubstr("libvirt-guests:1:"));
    EXPECT_THAT(shown.out, HasSubstr("unknown variable \"COLOUR\""));
    EXPECT_THAT(shown.out, HasSubstr("+boot.start_delay = \"3s\""));
    EXPECT_THAT(shown.out, HasSubstr("PARALLEL_SHUTDOWN is not set"));
}

TEST_F(Import, ShowsTheListOfLibvirtGuests) {
    const std::string uuid = uuid_number(7).str();
    write("/var/lib/libvirt/libvirt-guests", "default " + uuid + " nonsense\nlxc:/// " + uuid);
    const json import = json::parse(guestctl({"--json", "import", "--root", root}).out);
    ASSERT_EQ(import["list"].size(), 2U);
    EXPECT_EQ(import["list"][0]["uri"], "qemu:///system");
    EXPECT_EQ(import["list"][1]["uri"], "lxc:///");
    EXPECT_EQ(import["list"][1]["uuid"], uuid);
    EXPECT_EQ(import["changes"], false);
}

TEST_F(Import, HasNothingToDoWithoutLibvirtGuests) {
    EXPECT_EQ(import({"--apply"}).out, "There is no configuration of libvirt-guests.\n");
    write("/etc/default/libvirt-guests", "# nothing\n");
    EXPECT_THAT(import({"--apply"}).out, HasSubstr("sets nothing"));
    EXPECT_FALSE(std::filesystem::exists(root + kDropIn));
}

}  // namespace
}  // namespace guestd::bus::test
