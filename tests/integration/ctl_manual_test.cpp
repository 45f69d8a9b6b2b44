// SPDX-License-Identifier: LGPL-2.1-or-later

/// The manual pages know every setting, every verb and every option that there is.

#include <cstdio>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>

#include "bus_fixture.hpp"
#include "config/keys.hpp"

namespace guestd::bus::test {
namespace {

using testing::HasSubstr;

/// As people read it: hyphens are hyphens.
std::string page(const std::string& name) {
    const auto path = std::filesystem::path{__FILE__}.parent_path() / "../../docs/man" / name;
    std::stringstream text;
    text << std::ifstream{path}.rdbuf();
    EXPECT_FALSE(text.str().empty()) << path;
    return std::regex_replace(text.str(), std::regex{R"(\\-)"}, "-");
}

TEST(Manual, KnowsEverySetting) {
    const std::string manual = page("guestd.toml.5");
    for (const auto& key : config::all_keys()) {
        const bool guest = key.scope == config::Scope::guest_only;
        const auto name =
            config::spelling(key, guest ? config::TableKind::guest : config::TableKind::global);
        EXPECT_THAT(manual, HasSubstr(".B " + name + "\n"));
    }
}

TEST(Manual, KnowsEveryVerbAndItsOptions) {
    const std::string manual = page("guestctl.1");
    const std::string help = guestctl({"--help"}).out;
    const std::regex verb{R"(\n  ([a-z-]+) {2,}[A-Z])"};
    const std::regex option{R"(\n  (?:-[a-z],)?(--[a-z-]+))"};
    const auto words = [](const std::string& text, const std::regex& of) {
        std::vector<std::string> found;
        for (std::sregex_iterator at{text.begin(), text.end(), of}, end; at != end; ++at)
            found.push_back((*at)[1]);
        return found;
    };
    const auto verbs = words(help.substr(help.find("Subcommands:")), verb);
    EXPECT_GT(verbs.size(), 10U);
    for (const auto& each : verbs) {
        const auto begin = manual.find(".SS " + each + " ");
        ASSERT_NE(begin, std::string::npos) << each;
        const auto section = manual.substr(begin, manual.find("\n.S", begin) - begin);
        for (const auto& name : words(guestctl({each, "--help"}).out, option))
            EXPECT_THAT(section + "--help", HasSubstr(name)) << each;
    }
}

TEST(Manual, KnowsEveryUnit) {
    const std::string manual = page("guestd.8");
    const auto folder = std::filesystem::path{__FILE__}.parent_path() / "../../systemd";
    unsigned count = 0;
    for (const auto& file : std::filesystem::directory_iterator{folder}) {
        const auto name =
            std::regex_replace(file.path().filename().string(), std::regex{R"(\.in$)"}, "");
        if (!name.ends_with(".service") && !name.ends_with(".timer"))
            continue;
        EXPECT_THAT(manual, HasSubstr(name));
        ++count;
    }
    EXPECT_GT(count, 5U);
}

/// docs/man/interface fails for a member that has no comment.
TEST(Manual, TheInterfaceIsAsItsFileSays) {
    const auto maker = std::filesystem::path{__FILE__}.parent_path() / "../../docs/man/interface";
    const std::unique_ptr<FILE, int (*)(FILE*)> made{::popen(maker.c_str(), "r"), ::pclose};
    ASSERT_NE(made, nullptr);
    std::string text;
    char part[4096];
    while (const auto size = std::fread(part, 1, sizeof part, made.get()))
        text.append(part, size);
    EXPECT_EQ(page("org.guestd1.5"), std::regex_replace(text, std::regex{R"(\\-)"}, "-"));
    EXPECT_THAT(text, HasSubstr("\\fBListGuests\\fR"));
}

}  // namespace
}  // namespace guestd::bus::test
