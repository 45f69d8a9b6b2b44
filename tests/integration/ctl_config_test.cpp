// SPDX-License-Identifier: LGPL-2.1-or-later

/// guestctl config: what is wrong with files, and what holds and why. And what the command line
/// itself says to slips.

#include <fstream>

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class ConfigCheck : public testing::Test {
protected:
    ConfigCheck() {
        std::string name = (std::filesystem::temp_directory_path() / "guestd-cfg-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error{"cannot make a folder"};
        folder = name;
    }
    ~ConfigCheck() override { std::filesystem::remove_all(folder); }

    std::string write(const std::string& name, const std::string& text) const {
        const auto path = std::filesystem::path{folder} / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream{path} << text;
        return path;
    }

    std::string folder;
};

TEST_F(ConfigCheck, TellsEveryMistakeItsPlaceAndTheWayOut) {
    const auto file = write("a.toml", "[boot]\nmax_paralel = 3\n[shutdown]\ndeadline = \"soon\"\n");
    const Finished done = guestctl({"config", "check", file});
    EXPECT_EQ(done.status, 1);
    EXPECT_THAT(done.out, HasSubstr("error: " + file + ":2:1: "));
    EXPECT_THAT(done.out, HasSubstr("did you mean 'max_parallel'"));
    EXPECT_THAT(done.out, HasSubstr("error: " + file + ":4:12: "));
    EXPECT_THAT(done.out, HasSubstr("\"soon\""));
    EXPECT_THAT(done.out, HasSubstr(file + ": 2 errors\n"));
}

TEST_F(ConfigCheck, TakesWhatGuestdWouldTake) {
    const auto good = write("a.toml", "[boot]\nmax_parallel = 3\n");
    const Finished fine = guestctl({"config", "check", good});
    EXPECT_EQ(fine.status, 0);
    EXPECT_EQ(fine.out, good + ": nothing wrong\n");

    const auto odd =
        write("b.toml", "[shutdown]\nstop = [\"shutdown 5min\"]\ndeadline = \"1min\"\n");
    const Finished warned = guestctl({"config", "check", good, odd});
    EXPECT_EQ(warned.status, 0);
    EXPECT_THAT(warned.out, HasSubstr("warning: " + odd + ":"));
    EXPECT_THAT(warned.out, HasSubstr("2 files: 1 warning\n"));

    EXPECT_EQ(guestctl({"config", "check", folder + "/none.toml"}).status, 1);
}

TEST_F(ConfigCheck, ReadsASysconfigFileAsOne) {
    const auto file = write("default/guestd", "START_DELAY=3\nCOLOUR=red\n");
    const Finished done = guestctl({"config", "check", file});
    EXPECT_THAT(done.out, HasSubstr(file + ":2:"));
    EXPECT_THAT(done.out, Not(HasSubstr(file + ":1:")));
}

TEST_F(ConfigCheck, KnowsAUsersOwnFiles) {
    const auto file = write("guestd/guestd.toml", "[shutdown]\nbusy = \"7s\"\n");
    setenv("XDG_CONFIG_HOME", folder.c_str(), 1);
    const Finished checked = guestctl({"--user", "config", "check"});
    const Finished shown = guestctl({"--user", "config", "show", "--files"});
    unsetenv("XDG_CONFIG_HOME");
    EXPECT_EQ(checked.out, file + ": nothing wrong\n");
    EXPECT_THAT(shown.out, HasSubstr(file + ":2 [shutdown]"));
    EXPECT_THAT(shown.out, HasSubstr("built-in (--user)"));
    EXPECT_THAT(shown.out, HasSubstr("[\"qemu:///session\"]"));
}

class ConfigShow : public BusTest {};

TEST_F(ConfigShow, AsksGuestdWhatHolds) {
    guestd->on_loop([&](Server&) {
        facade.setting_views = {{"shutdown.stop", "[\"save\"]", "/etc/guestd/guestd.toml:7"}};
    });
    const Finished all = guestctl({"config", "show"});
    EXPECT_EQ(all.status, 0) << all.err;
    EXPECT_THAT(all.out, HasSubstr("shutdown.stop  [\"save\"]  /etc/guestd/guestd.toml:7\n"));
    const json one = json_of({"config", "show", "db", "--trigger", "ups"});
    EXPECT_EQ(one[1], (json{{"key", "asked"}, {"value", "db"}, {"origin", "ups"}}));
}

TEST_F(ConfigShow, SaysWhenTheFilesAreNotWhatHolds) {
    guestd->on_loop([&](Server&) { facade.status_view.degraded = "running on the last good one"; });
    EXPECT_EQ(guestctl({"config", "show"}).err, "guestctl: running on the last good one\n");
}

TEST(CommandLine, NamesTheSlipAndTheWordNearIt) {
    const auto said = [](std::vector<std::string> arguments) {
        const Finished done = guestctl(arguments);
        EXPECT_EQ(done.status, 2);
        return done.err;
    };
    EXPECT_EQ(said({"stauts"}),
              "guestctl: there is no verb \"stauts\"; did you mean \"status\"?\n");
    EXPECT_EQ(said({"frobnicate"}),
              "guestctl: there is no verb \"frobnicate\"; see guestctl --help\n");
    EXPECT_EQ(said({"config", "chekc"}),
              "guestctl: there is no verb \"chekc\"; did you mean \"check\"?\n");
    EXPECT_EQ(said({"list", "--jsno"}),
              "guestctl: unexpected \"--jsno\"; did you mean \"--json\"?\n");
    EXPECT_EQ(said({}), "guestctl: a verb is missing; see guestctl --help\n");
    EXPECT_THAT(said({"drain", "--trigger", "rebot"}), HasSubstr("see guestctl drain --help\n"));
}

TEST(CommandLine, HelpFitsTheTerminalAndBreaksBetweenWords) {
    for (const char* verb : {"status", "boot", "wait", "autostart", "plan", "drain", "config"}) {
        std::istringstream text{guestctl({verb, "--help"}).out};
        for (std::string line; std::getline(text, line);)
            EXPECT_LE(line.size(), 80U) << verb << ": " << line;
    }
    EXPECT_THAT(guestctl({"wait", "--help"}).out,
                HasSubstr("  --ready               Wait until the boot run has dealt with these "
                          "guests (all\n                        without names)"));
}

}  // namespace
}  // namespace guestd::bus::test
