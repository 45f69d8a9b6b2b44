// SPDX-License-Identifier: LGPL-2.1-or-later
// Metadata is written by whoever may define a guest: it must be honoured, and it must not hurt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.hpp"
#include "config/ladder.hpp"

namespace guestd::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

GuestPolicy policy(const std::string& metadata, std::optional<Trigger> trigger = {}) {
    return Config::built_in()->guest({"qemu:///system", {}, "a", metadata}, trigger);
}

std::vector<std::string> problems(const std::string& metadata) {
    std::vector<std::string> lines;
    for (const auto& problem :
         Config::built_in()->metadata_problems({"qemu:///system", {}, "a", metadata}))
        lines.push_back(render_problem(problem));
    return lines;
}

std::string with(const std::string& inner) {
    return "<policy xmlns=\"urn:guestd:policy:1\">\n" + inner + "</policy>";
}

TEST(Metadata, SetsWhatAGuestTableSets) {
    const auto found =
        policy(with("<set key='tier' value='expendable'/>"
                    "<set key='priority' value='-5'/>"
                    "<set key='after' value='db-*; cache'/>"
                    "<set key='start.resume' value='false'/>"
                    "<set key='start.ready' value='tcp:22'/>"
                    "<set key='start.retry.attempts' value='3'/>"
                    "<set key='shutdown.stop' value='save 2min; destroy'/>"));
    EXPECT_EQ(found.tier, Tier::expendable);
    EXPECT_EQ(found.priority, -5);
    EXPECT_THAT(found.after, ElementsAre("db-*", "cache"));
    EXPECT_FALSE(found.start.resume);
    EXPECT_EQ(found.start.ready.at(0).port, 22);
    EXPECT_EQ(found.start.retry.attempts, 3U);
    ASSERT_EQ(found.stop.stop.size(), 2U);
    EXPECT_EQ(found.stop.stop[0].time, 2min);
}

TEST(Metadata, KnowsTriggers) {
    const auto xml = with("<set key='shutdown.on.ups.stop' value='leave'/>");
    EXPECT_EQ(policy(xml, Trigger::ups).stop.stop.at(0).kind, StepKind::leave);
    EXPECT_EQ(policy(xml, Trigger::reboot).stop.stop.at(0).kind, StepKind::shutdown);
    EXPECT_THAT(problems(xml), IsEmpty());
}

TEST(Metadata, IsReadInEveryFormThatLibvirtGives) {
    for (const auto* xml : {"<policy><set key='tier' value='expendable'/></policy>",
                            "<g:policy xmlns:g='urn:guestd:policy:1'><g:set key='tier' "
                            "value='expendable'/></g:policy>",
                            "<set key='priority' value='-1'/><set key='tier' value='expendable'/>",
                            "<?xml version='1.0'?><!-- c --><policy><!-- c -->"
                            "<set key='tier' value='expendable'/></policy>"}) {
        EXPECT_EQ(policy(xml).tier, Tier::expendable) << xml;
        EXPECT_THAT(problems(xml), IsEmpty()) << xml;
    }
}

TEST(Metadata, BadPartsAreLeftOutAndTold) {
    struct Case {
        const char* inner;
        const char* line;
    };
    for (const auto& [inner, line] : std::initializer_list<Case>{
             {"<set key='teir' value='critical'/>",
              "metadata:2:2: unknown key \"teir\"; did you mean 'tier'?"},
             {"<set key='tier' value='highest'/>",
              "metadata:2:2: 'tier' in metadata is \"highest\""},
             {"<set key='start.resume' value='no'/>", "expected true or false"},
             {"<set key='priority' value='5x'/>", "is \"5x\"; expected a whole number"},
             {"<set key='priority' value='5000'/>", "is 5000; expected a whole number"},
             {"<set value='5'/>", "unknown key \"\""},
             {"<set key='tier'/>", "'tier' in metadata is \"\""},
             {"<set key='shutdown.deadline' value='1s'/>", "unknown key \"shutdown.deadline\""},
             {"<set key='daemon.uris' value='x:///'/>", "unknown key \"daemon.uris\""},
             {"<set key='boot.ready' value='agent'/>", "unknown key \"boot.ready\""},
             {"<set key='shutdown.on.rebot.stop' value='leave'/>", "unknown trigger"},
             {"<set key='shutdown.on.host-boot.stop' value='leave'/>", "unknown trigger"},
             {"<set key='shutdown.on.ups' value='leave'/>", "unknown key \"shutdown.on.ups\""},
             {"<set key='start.ready' value='agent; exec:/bin/sh'/>", "not allowed in metadata"},
             {"<set key='shutdown.stop' value='migrate:qemu+ssh://evil/system'/>",
              "not allowed in metadata"},
             {"<set key='start.ready' value='agent; tcp:192.0.2.1:22'/>",
              "not allowed in metadata"},
             {"<set key='start.ready' value='tcp:[::1]:22'/>", "not allowed in metadata"},
             {"<set key='start.needs' value='pool:a; path:/root/x'/>", "not allowed in metadata"},
             {"<sett key='tier' value='critical'/>", "element \"sett\"; expected 'set' or 'tag'"},
         }) {
        SCOPED_TRACE(inner);
        const auto xml = with(std::string{inner} + "<set key='priority' value='-9'/>");
        EXPECT_THAT(problems(xml), ElementsAre(HasSubstr(line)));
        const auto found = policy(xml);
        EXPECT_EQ(found.priority, -9) << "the good part must hold";
        EXPECT_EQ(found.tier, Tier::normal);
        EXPECT_EQ(found.stop.stop, StopPolicy{}.stop);
        EXPECT_EQ(found.start.ready, StartPolicy{}.ready);
    }
}

TEST(Metadata, HostileTextDoesNothing) {
    const auto big = with("<set key='tier' value='expendable'/>" + std::string(64 * 1024, ' '));
    EXPECT_EQ(policy(big).tier, Tier::normal);
    EXPECT_THAT(problems(big), ElementsAre(HasSubstr("more than 65536 bytes")));

    EXPECT_THAT(problems("<policy>"), ElementsAre(HasSubstr("no XML")));
    EXPECT_THAT(problems(std::string{"\0<x", 3}), ElementsAre(HasSubstr("no XML")));

    std::string deep;
    for (int i = 0; i < 10000; ++i)
        deep += "<a>";
    EXPECT_EQ(problems(deep).size(), 1U);

    std::string many;
    for (int i = 0; i < 3000; ++i)
        many += "<set key='\x1b[2J'/>";
    const auto told = problems(with(many));
    EXPECT_EQ(told.size(), 32U);
    EXPECT_EQ(told[0].find('\x1b'), std::string::npos);

    many.clear();
    for (int i = 0; i < 1000; ++i)
        many += "<set key='start.ready' value='exec:/bin/true'/>";
    EXPECT_EQ(problems(with(many)).size(), 32U);

    std::string names = "<set key='after' value='";
    for (int i = 0; i < 1000; ++i)
        names += "a;";
    EXPECT_THAT(problems(with(names + "'/>")), ElementsAre(HasSubstr("more than 256 elements")));
    EXPECT_TRUE(
        policy("<!DOCTYPE a [<!ENTITY x 'y'>]><policy><set key='tier' value='&x;'/></policy>")
            .tier == Tier::normal);
}

}  // namespace
}  // namespace guestd::config
