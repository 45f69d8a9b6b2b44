// SPDX-License-Identifier: LGPL-2.1-or-later

/// Who may command guestd: root always, others as polkit says, and everybody may read.

#include "systemd/bus_polkit.hpp"

#include <map>
#include <pugixml.hpp>
#include <set>

#include "bus_fake_polkit.hpp"
#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Strings = std::vector<std::string>;
using Verdict = FakePolkit::Verdict;

constexpr uid_t kNobody = 65534;
constexpr const char* kUuid = "00000000-0000-0000-0000-000000000001";
/// Wide enough for every line.
constexpr unsigned short kColumns = 200;

class BusPolkit : public BusTest {
protected:
    void SetUp() override {
        if (geteuid() != 0)
            GTEST_SKIP() << "must be root to become somebody else";
        facade.resume_entries = {{.uri = "test:///a", .uuid = uuid_number(1), .name = "db"}};
        if (Guestctl{{"--version"}, 0, kNobody}.finish().status == 127)
            GTEST_SKIP() << "others cannot run the guestctl of this build";
    }
    static Finished as_nobody(const Strings& arguments, unsigned short terminal = 0) {
        return Guestctl{arguments, terminal, kNobody}.finish();
    }
    bool nothing_was_commanded() {
        settle();
        return facade.boots.empty() && facade.drains.empty() && facade.cancels.empty() &&
               facade.forgotten.empty() && facade.reloads == 0;
    }
};

const std::map<std::string, Strings> kCommands = {
    {actions::kBoot, {"boot"}},
    {actions::kDrain, {"drain", "--yes"}},
    {actions::kCancel, {"cancel"}},
    {actions::kChangeResumeList, {"resume-list", "--forget", kUuid}},
};

TEST_F(BusPolkit, JudgesEachKindOfCommandByItsAction) {
    const FakePolkit polkit{[](const auto&) { return Verdict::yes; }};
    for (const auto& [action, command] : kCommands) {
        const Finished done = as_nobody(command);
        EXPECT_EQ(done.status, 0) << done.err;
        ASSERT_FALSE(polkit.asked().empty());
        const auto asked = polkit.asked().back();
        EXPECT_EQ(asked.action, action);
        EXPECT_EQ(asked.subject_kind, "system-bus-name");
        EXPECT_THAT(asked.subject_name, StartsWith(":"));
        EXPECT_EQ(asked.flags, 0U);
    }
    EXPECT_EQ(polkit.asked().size(), kCommands.size());
    settle();
    EXPECT_EQ(facade.boots.size(), 1U);
    EXPECT_EQ(facade.drains.size(), 1U);
    EXPECT_EQ(facade.cancels.size(), 1U);
    EXPECT_EQ(facade.forgotten.size(), 1U);
}

TEST_F(BusPolkit, RefusesWhatPolkitRefuses) {
    const FakePolkit polkit{[](const auto&) { return Verdict::no; }};
    for (const auto& [action, command] : kCommands) {
        const Finished refused = as_nobody(command);
        EXPECT_EQ(refused.status, 1) << action;
        EXPECT_THAT(refused.err,
                    HasSubstr("polkit does not allow it (polkit action " + action + ")"));
    }
    EXPECT_TRUE(nothing_was_commanded());
}

TEST_F(BusPolkit, SaysThatAPasswordIsWantedWhereNobodyCanBeAsked) {
    const FakePolkit polkit{[](const auto&) { return Verdict::challenge; }};
    const Finished refused = as_nobody({"boot"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("authentication is required (polkit action "
                                       "org.guestd1.boot); try it at a terminal, or as root"));
    EXPECT_EQ(polkit.asked().size(), 1U);
    EXPECT_TRUE(nothing_was_commanded());
}

TEST_F(BusPolkit, LetsPolkitAskThePersonAtATerminal) {
    const FakePolkit polkit{
        [](const auto& asked) { return asked.flags == 1 ? Verdict::yes : Verdict::challenge; }};
    const Finished done = as_nobody({"boot"}, kColumns);
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_EQ(polkit.asked().size(), 2U);
    settle();
    EXPECT_EQ(facade.boots.size(), 1U);
}

TEST_F(BusPolkit, RefusesWhenThePersonDoesNotAuthenticate) {
    const FakePolkit polkit{[](const auto&) { return Verdict::challenge; }};
    const Finished refused = as_nobody({"boot"}, kColumns);
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("nobody was there to authenticate the caller"));
    EXPECT_TRUE(nothing_was_commanded());
}

TEST_F(BusPolkit, NeverAsksAboutRootOrReaders) {
    const FakePolkit polkit{[](const auto&) { return Verdict::no; }};
    EXPECT_EQ(guestctl({"boot"}).status, 0);
    for (const Strings& reading :
         {Strings{"--json", "list"}, Strings{"status"}, Strings{"resume-list"}, Strings{"history"}})
        EXPECT_EQ(as_nobody(reading).status, 0);
    EXPECT_TRUE(polkit.asked().empty());
}

TEST_F(BusPolkit, WithoutPolkitOnlyRootCommands) {
    EXPECT_EQ(guestctl({"boot"}).status, 0);
    const Finished refused = as_nobody({"boot"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("only root may do this: polkit"));
    settle();
    EXPECT_EQ(facade.boots.size(), 1U);
}

TEST_F(BusPolkit, DoesNotWaitForPolkit) {
    const FakePolkit polkit{[](const auto&) { return Verdict::silence; }};
    Guestctl asking{{"boot"}, 0, kNobody};
    polkit.wait_until_asked(1);
    EXPECT_EQ(json_of({"status"})["version"], "1.2.3");
    EXPECT_EQ(guestctl({"drain"}).status, 0);
}

TEST(BusPolkitFile, DefinesTheActionsThatAreAskedFor) {
    const auto path =
        std::filesystem::path{__FILE__}.parent_path() / "../../conf/polkit/org.guestd1.policy";
    pugi::xml_document file;
    ASSERT_TRUE(file.load_file(path.c_str())) << path;
    std::set<std::string> defined;
    for (const auto& action : file.child("policyconfig").children("action")) {
        defined.insert(action.attribute("id").value());
        for (const auto& verdict : action.child("defaults").children())
            EXPECT_THAT(verdict.text().get(), StartsWith("auth_admin"));
    }
    std::set<std::string> asked{actions::kReload};
    for (const auto& [action, command] : kCommands)
        asked.insert(action);
    EXPECT_EQ(defined, asked);
}

}  // namespace
}  // namespace guestd::bus::test
