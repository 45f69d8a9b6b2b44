// SPDX-License-Identifier: LGPL-2.1-or-later
// The sysconfig file: its syntax, and what the variables of libvirt-guests mean here.
#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/sysconfig.hpp"

namespace guestd::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(SysconfigSyntax, ReadsWhatShellsRead) {
    struct Case {
        const char* text;
        const char* value;
    };
    for (const auto& [text, value] : std::initializer_list<Case>{
             {"A=", ""},
             {"A=plain", "plain"},
             {"  export  A=plain", "plain"},
             {"A='a b $x `y` ;\\'", "a b $x `y` ;\\"},
             {"A=\"a b; c\"", "a b; c"},
             {R"(A="q\" b\\ d\$ t\` \n")", R"(q" b\ d$ t` \n)"},
             {"A=a'b c'\"d e\"f", "ab cd ef"},
             {R"(A=a\ b\;)", "a b;"},
             {"A=a#b", "a#b"},
             {"A=a # comment", "a"},
             {"A=a\r", "a"},
             {"A='one\ntwo'", "one\ntwo"},
             {"# B=1\n\n  # C=2\nA=a", "a"},
             {"A=a\nB=b\nA=c", "c"},
         }) {
        SCOPED_TRACE(text);
        Problems problems;
        const auto variables = parse_sysconfig("f", text, problems);
        EXPECT_THAT(problems, IsEmpty());
        ASSERT_FALSE(variables.empty());
        EXPECT_EQ(variables.back().name, "A");
        EXPECT_EQ(variables.back().value, value);
    }
}

TEST(SysconfigSyntax, RefusesWhatAShellWouldRun) {
    struct Case {
        const char* text;
        std::uint32_t line;
        std::uint32_t column;
        const char* message;
    };
    for (const auto& [text, line, column, message] : std::initializer_list<Case>{
             {"\nA=$(reboot)", 2, 3, "'$' means something to a shell"},
             {"A=\"x$y\"", 1, 5, "'$' means something to a shell"},
             {"A=`reboot`", 1, 3, "'`' means something to a shell"},
             {"A=\"`x`\"", 1, 4, "'`' means something to a shell"},
             {"A=a;reboot", 1, 4, "';' means something to a shell"},
             {"A=a&", 1, 4, "'&' means"},
             {"A=a|b", 1, 4, "'|' means"},
             {"A=<f", 1, 3, "'<' means"},
             {"A=(a b)", 1, 3, "'(' means"},
             {"A=a b", 1, 5, "needs quotes"},
             {"A = a", 1, 2, "expected '=' directly after A"},
             {"if true", 1, 3, "expected '=' directly after if"},
             {"1A=a", 1, 1, "expected NAME=value"},
             {"=a", 1, 1, "expected NAME=value"},
             {". /etc/x", 1, 1, "expected NAME=value"},
             {"A='a\nB=b", 1, 3, "never closed"},
             {"A=\"a", 1, 3, "never closed"},
             {"A=a\\", 1, 5, "nothing follows the backslash"},
         }) {
        SCOPED_TRACE(text);
        Problems problems;
        EXPECT_THAT(parse_sysconfig("f", text, problems), IsEmpty());
        ASSERT_EQ(problems.size(), 1U);
        EXPECT_EQ(problems[0].line, line);
        EXPECT_EQ(problems[0].column, column);
        EXPECT_THAT(problems[0].message, HasSubstr(message));
    }
}

TEST(SysconfigSyntax, GoesOnAfterAMistake) {
    Problems problems;
    const auto variables = parse_sysconfig("f", "A=$x y\nB=b\n", problems);
    ASSERT_EQ(variables.size(), 1U);
    EXPECT_EQ(variables[0].name, "B");
    EXPECT_EQ(problems.size(), 1U);
}

/// "key = value" for all that is not built in.
std::vector<std::string> meaning(const std::string& sysconfig, const std::string& toml = {}) {
    auto sources = text_source(toml);
    sources.list.push_back({SourceKind::sysconfig, "sys", sysconfig});
    const auto config = Config::load(sources);
    std::vector<std::string> lines;
    if (!config) {
        for (const auto& problem : config.error())
            lines.push_back(render_problem(problem));
        return lines;
    }
    for (const auto& each : (*config)->explain(nullptr, {}))
        if (each.origin.layer == "sysconfig")
            lines.push_back(each.key + " = " + each.value);
    return lines;
}

TEST(Sysconfig, MeansWhatLibvirtGuestsMeant) {
    struct Case {
        const char* text;
        std::vector<std::string> lines;
    };
    const std::string kBoth = "shutdown.stop = [\"save 5min\", \"shutdown 5min\", \"destroy\"]";
    for (const auto& [text, lines] : std::initializer_list<Case>{
             {"URIS='default  lxc:///system'",
              {"daemon.uris = [\"qemu:///system\", \"lxc:///system\"]"}},
             {"ON_BOOT=start", {"boot.resume = true"}},
             {"ON_BOOT=ignore", {"boot.resume = false"}},
             {"START_DELAY=5", {"boot.start_delay = \"5s\""}},
             {"ON_SHUTDOWN=shutdown",
              {"shutdown.stop = [\"shutdown 5min\", \"save 5min\", \"destroy\"]"}},
             {"ON_SHUTDOWN=suspend", {kBoth}},
             {"SHUTDOWN_TIMEOUT=120",
              {"shutdown.stop = [\"shutdown 2min\", \"save 5min\", \"destroy\"]"}},
             {"ON_SHUTDOWN=suspend\nSHUTDOWN_TIMEOUT=60",
              {"shutdown.stop = [\"save 5min\", \"shutdown 1min\", \"destroy\"]"}},
             {"SHUTDOWN_TIMEOUT=0", {"shutdown.stop = [\"shutdown 9min 40s\", \"destroy\"]"}},
             {"ON_SHUTDOWN=suspend\nSHUTDOWN_TIMEOUT=0", {kBoth}},
             {"PARALLEL_SHUTDOWN=10", {"shutdown.parallel_shutdown = 10"}},
             {"PARALLEL_SHUTDOWN=0", {"shutdown.parallel_shutdown = 1"}},
             {"BYPASS_CACHE=1", {"boot.bypass_cache = true", "shutdown.bypass_cache = true"}},
             {"SYNC_TIME=0", {"boot.sync_time = false"}},
             {"PERSISTENT_ONLY=true", {"shutdown.transient = \"leave\""}},
             {"PERSISTENT_ONLY=false", {"shutdown.transient = \"shutdown\""}},
             {"PERSISTENT_ONLY=default", {}},
             {"ON_BOOT=\nURIS=\nGUESTD_ARGS='--debug'", {}},
         }) {
        SCOPED_TRACE(text);
        EXPECT_EQ(meaning(text), lines);
    }
    EXPECT_THAT(meaning("SHUTDOWN_TIMEOUT=0", "[shutdown]\ndeadline = '1min'"),
                ElementsAre("shutdown.stop = [\"shutdown 40s\", \"destroy\"]"));
}

TEST(Sysconfig, RefusesOtherValues) {
    struct Case {
        const char* text;
        const char* line;
    };
    for (const auto& [text, line] : std::initializer_list<Case>{
             {"ON_BOOT=yes", "sys:1:9: ON_BOOT is \"yes\"; expected \"start\" or \"ignore\""},
             {"ON_SHUTDOWN=save", "sys:1:13: ON_SHUTDOWN is \"save\"; expected \"shutdown\" or"},
             {"SHUTDOWN_TIMEOUT=-1", "sys:1:18: SHUTDOWN_TIMEOUT is \"-1\"; expected a whole"},
             {"SHUTDOWN_TIMEOUT=99999999999999999999", "expected a whole number"},
             {"START_DELAY=5m", "sys:1:13: START_DELAY is \"5m\"; expected a whole number"},
             {"START_DELAY=99999999", "expected a time from 0s to 31d"},
             {"PARALLEL_SHUTDOWN=99999", "expected a whole number from 0 to 10000"},
             {"BYPASS_CACHE=yes", "sys:1:14: BYPASS_CACHE is \"yes\"; expected \"1\" or \"0\""},
             {"SYNC_TIME=2", "sys:1:11: SYNC_TIME is \"2\"; expected \"1\" or \"0\""},
             {"PERSISTENT_ONLY=1", "expected \"true\", \"false\" or \"default\""},
             {"URIS=system", "sys:1:6: 'URIS' in sysconfig is \"system\""},
             {"ON_SHUTDWON=x",
              "sys:1:1: unknown variable \"ON_SHUTDWON\"; did you mean "
              "'ON_SHUTDOWN'?"},
         }) {
        SCOPED_TRACE(text);
        EXPECT_THAT(meaning(text), ElementsAre(HasSubstr(line)));
    }
}

}  // namespace
}  // namespace guestd::config
