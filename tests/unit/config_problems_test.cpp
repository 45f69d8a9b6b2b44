// SPDX-License-Identifier: LGPL-2.1-or-later
// What is wrong in a TOML file, and where. One line per mistake; each must be told with its place,
// the value found, and what is allowed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.hpp"

namespace guestd::config {
namespace {

using ::testing::HasSubstr;

struct Case {
    std::string_view toml;
    std::uint32_t line;
    std::uint32_t column;
    std::string_view message;  ///< a part of it
};

std::vector<std::string> rendered(const Sources& sources) {
    const auto config = Config::load(sources);
    std::vector<std::string> lines;
    if (!config)
        for (const auto& problem : config.error())
            lines.push_back(render_problem(problem));
    return lines;
}

void check(std::initializer_list<Case> cases) {
    for (const auto& c : cases) {
        SCOPED_TRACE(c.toml);
        const auto config = Config::load(text_source(std::string{c.toml}, "f.toml"));
        ASSERT_FALSE(config.has_value());
        ASSERT_EQ(config.error().size(), 1U) << render_problem(config.error()[1]);
        const auto& problem = config.error()[0];
        EXPECT_EQ(problem.file, "f.toml");
        EXPECT_EQ(problem.line, c.line);
        EXPECT_EQ(problem.column, c.column);
        EXPECT_THAT(problem.message, HasSubstr(c.message));
        EXPECT_EQ(problem.message.find('\n'), std::string::npos);
    }
}

TEST(ConfigProblems, UnknownKeys) {
    check({
        {"[boot]\nmax_paralel = 4", 2, 1,
         "unknown key \"max_paralel\" in [boot]; did you mean 'max_parallel'?"},
        {"[boot]\nretry = { attemps = 5 }", 2, 11,
         "unknown key \"attemps\" in [boot.retry]; did you mean 'attempts'?"},
        {"[bot]\nx = 1", 1, 1, "unknown key \"bot\" in the file; did you mean 'boot'?"},
        {"zzz = 1", 1, 1, "known here: boot, daemon, shutdown, uri, guest"},
        {"shutdown.on.rebot.stop = 'save'", 1, 1,
         "unknown trigger \"rebot\"; did you mean 'reboot'?"},
        {"[shutdown.on.host-boot]\nstop = 'save'", 1, 1, "unknown trigger \"host-boot\""},
        {"[shutdown.on.ups]\ndedline = 1", 2, 1,
         "unknown key \"dedline\" in [shutdown.on.ups]; did you mean 'deadline'?"},
        {"[[guest]]\nname = 'a'\nteir = 'normal'", 3, 1, "in [[guest]]; did you mean 'tier'?"},
        {"[[guest]]\nname = 'a'\nstart.redy = 'agent'", 3, 7,
         "in [[guest]] start; did you mean 'ready'?"},
    });
}

TEST(ConfigProblems, KeysInTheWrongPlace) {
    check({
        {"[start]\nready = 'agent'", 1, 1, "here it is spelled 'boot'"},
        {"[[guest]]\nname = 'a'\nboot.ready = 'agent'", 3, 1, "it is spelled 'start'"},
        {"[[guest]]\nname = 'a'\nstart.max_parallel = 3", 3, 7,
         "it holds for a whole URI; set boot.max_parallel"},
        {"[[guest]]\nname = 'a'\nshutdown.deadline = 3", 3, 10, "it holds for a whole URI"},
        {"[[uri]]\nuri = 'x:///'\ntier = 'normal'", 3, 1, "it belongs to a [[guest]] table"},
        {"priority = 3", 1, 1, "it belongs to a [[guest]] table"},
        {"[[uri]]\nuri = 'x:///'\ndaemon.metadata = true", 3, 1, "[daemon]"},
    });
}

TEST(ConfigProblems, WrongTypesAndImpossibleValues) {
    check({
        {"[boot]\nresume = \"yes\"", 2, 10,
         "'resume' in [boot] is \"yes\"; expected true or false"},
        {"[boot]\nresume = 1979-05-27", 2, 10, "is a date or time of day; expected true or false"},
        {"[boot]\nmax_parallel = \"four\"", 2, 16,
         "is \"four\"; expected a whole number from 0 to 10000 (0 = no limit), or \"auto\""},
        {"[boot]\nmax_parallel = -1", 2, 16, "is -1; expected a whole number from 0"},
        {"[boot]\nmax_parallel = 99999999999999", 2, 16, "expected a whole number from 0 to 10000"},
        {"[boot]\nmax_parallel = 1.5", 2, 16, "is 1.5; expected a whole number"},
        {"[boot]\npressure.io = 101", 2, 15, "is 101; expected a percentage from 0 to 100"},
        {"[boot]\npressure.io = nan", 2, 15, "expected a percentage"},
        {"[boot]\npressure = 5", 2, 12, "'boot.pressure' is 5; expected a table"},
        {"[boot]\nstart_delay = -3", 2, 15, "is -3; expected a time from 0s to 31d"},
        {"[boot]\nready_timeout = '5mni'", 2, 17, "unknown unit \"mni\", did you mean 'min'?"},
        {"[boot]\nready_timeout = 0", 2, 17, "is 0; expected a time from 1ms"},
        {"[boot]\nready_timeout = 9223372036854775807", 2, 17, "expected a time"},
        // times a million this is 2^64 and half a second
        {"[boot]\nready_timeout = 18446744073710", 2, 17, "expected a time"},
        {"[boot]\nmin_free_memory = '1GIB'", 2, 19, "expected a size up to 1048576TiB"},
        {"[boot]\nready = []", 2, 9, "write \"running\" to wait for nothing more"},
        {"[boot]\nready = ['agent', 5]", 2, 19, "is 5; expected a list of running, agent"},
        {"[boot]\nautostart = 'trottle'", 2, 13, "did you mean \"throttle\"?"},
        {"boot = 3", 1, 8, "'boot' is 3; expected a table"},
        {"[shutdown]\non = 3", 2, 6, "'shutdown.on' is 3; expected a table"},
        {"[shutdown]\non.ups = 3", 2, 10, "'shutdown.on.ups' is 3; expected a table"},
        {"[daemon]\nuris = []", 2, 8, "without a URI there is nothing to look after"},
        {"[daemon]\nuris = ['qemu:///system', 'system']", 2, 27, "this is no URI"},
        {"[daemon]\nuris = ['x:///', 'x:///']", 2, 18, "named twice"},
        {"guest = 3", 1, 1, "expected tables, each under [[guest]]"},
        {"uri = [3]", 1, 8, "expected tables, each under [[uri]]"},
    });
}

TEST(ConfigProblems, Ladders) {
    check({
        {"[shutdown]\nstop = ['save', 'destroy', 'leave']", 2, 28, "nothing can follow destroy"},
        {"[shutdown]\nstop = ['leave', 'destroy']", 2, 18, "nothing can follow leave"},
        {"[shutdown]\nstop = []", 2, 8, "at least one step"},
        {"[shutdown]\nstop = ['save', { step = 'svae' }]", 2, 17, "did you mean 'save'?"},
        {"[shutdown]\nstop = [{ time = '2min' }]", 2, 9, "'step' is missing"},
        {"[shutdown]\nstop = [{ step = 'save', tim = 2 }]", 2, 26, "only 'step' and 'time'"},
        {"[shutdown]\nstop = [{ step = 'save', time = true }]", 2, 33, "is true; expected"},
    });
}

TEST(ConfigProblems, TablesForWhom) {
    check({
        {"[[guest]]\ntier = 'normal'", 1, 1, "needs 'name', 'uuid', 'uri' or 'tag'"},
        {"[[uri]]\nshutdown.deadline = 5", 1, 1, "a [[uri]] table needs 'uri'"},
        {"[[guest]]\nname = ''", 2, 8, "(it is empty)"},
        {"[[guest]]\nname = []", 2, 8, "is an empty list; expected a name"},
        {"[[guest]]\nname = ['a', 'b[']", 2, 14, "(']' is missing)"},
        {"[[guest]]\nname = 5", 2, 8, "is 5; expected a name"},
        {"[[guest]]\nuuid = '12'", 2, 8, "expected 8-4-4-4-12 hexadecimal digits"},
        {"[[guest]]\ntag = 5", 2, 7, "'tag' in [[guest]] is 5; expected a text"},
        {"[[uri]]\nuri = 'x['", 2, 7, "']' is missing"},
        {"[[uri]]\nuri = 'x:///'\n[[uri]]\nuri = 'x:///'", 3, 1,
         "a second [[uri]] table for \"x:///\"; the first is in line 1"},
    });
}

TEST(ConfigProblems, Order) {
    check({
        {"[[guest]]\nname = 'a'\nafter = ['b', 'a']", 3, 1, "\"a\" waits for itself through \"a\""},
        {"[[guest]]\nname = 'web-*'\nrequires = 'web-*'", 3, 1, "waits for itself"},
        {"[[guest]]\nname = 'x['\n", 2, 8, "']' is missing"},
        {"[[guest]]\nname = 'x'\nafter = 'y['\n", 3, 9, "']' is missing"},
        {"[[guest]]\nname = 'a'\nafter = 'b'\n[[guest]]\nname = 'b'\nrequires = ['c']\n"
         "[[guest]]\nname = 'c'\nafter = 'a'\n",
         3, 1, "dependency cycle: a -> b -> c -> a"},
        {"[[guest]]\nname = 'web-*'\nafter = 'db-*'\n[[guest]]\nname = 'db-*'\nafter = 'web-1'\n",
         6, 1, "dependency cycle: db-* -> web-1 -> db-*"},
    });
}

TEST(ConfigProblems, OrderThatIsFine) {
    for (const std::string_view toml : {
             "[[guest]]\nname = 'web-1'\nafter = 'web-*'",
             "[[guest]]\nname = '*'\nafter = 'base-*'\n",
             "[[guest]]\nname = 'a'\nafter = 'b'\n[[guest]]\nname = 'b'\nafter = 'a'\n"
             "[[guest]]\nname = 'b'\nafter = []",
             "[daemon]\nuris = ['x:///', 'y:///']\n[[guest]]\nname = 'a'\nuri = 'x:///'\n"
             "after = 'b'\n[[guest]]\nname = 'b'\nuri = 'y:///'\nafter = 'a'",
         })
        EXPECT_TRUE(rendered(text_source(std::string{toml})).empty()) << toml;
}

/// The wording is toml11's and differs between its versions, and so does the column.
TEST(ConfigProblems, TextThatIsNoToml) {
    for (const std::string_view toml : {"\na = ", "a = \"x\nb = 1", "[boot", "a = 1\na = 2",
                                        "[a]\n[a]", "a = \"\xff\"", "a = 1 b = 2"}) {
        const auto lines = rendered(text_source(std::string{toml}, "f.toml"));
        ASSERT_EQ(lines.size(), 1U) << toml;
        EXPECT_TRUE(lines[0].starts_with("f.toml:1:") || lines[0].starts_with("f.toml:2:"))
            << lines[0];
        EXPECT_EQ(lines[0].find("toml::"), std::string::npos) << lines[0];
    }
}

/// toml11 3.7 reads past its buffer on these.
TEST(ConfigProblems, TextThatIsNoUtf8) {
    check({
        {"\xff = 1", 1, 1, "byte 0xff is not UTF-8"},
        {"\na = '\xc3'", 2, 6, "byte 0xc3 is not UTF-8"},
        {"a = \"\"\"\n\xed\xa0\x80\"\"\"", 2, 1, "byte 0xed is not UTF-8"},
    });
}

TEST(ConfigProblems, NestingIsBoundedBeforeTheParserSeesIt) {
    const std::string deep(100000, '[');
    EXPECT_THAT(rendered(text_source("a = " + deep))[0],
                HasSubstr("guestd.toml:1:37: nested more than 32 deep"));
    std::string dotted = "\na";
    for (int i = 0; i < 100000; ++i)
        dotted += ".a";
    EXPECT_THAT(rendered(text_source(dotted + " = 1"))[0], HasSubstr("guestd.toml:2:66: nested"));
    const std::string brackets(100, '[');
    EXPECT_TRUE(rendered(text_source("# " + brackets + "\n")).empty());
    EXPECT_THAT(rendered(text_source("boot.policy = '" + brackets + "'"))[0],
                HasSubstr("expected \"auto\""));
}

TEST(ConfigProblems, AllAreToldAtOnceInTheOrderOfTheText) {
    Sources sources = text_source("[boot]\nresume = 3\n[[guest]]\nname = 'a'\ntier = 'x'\n", "a");
    sources.list.push_back({SourceKind::toml, "b", "["});
    sources.list.push_back({SourceKind::sysconfig, "c", "ON_BOOT=x\n"});
    sources.problems.push_back({"d", 0, 0, "cannot be listed"});
    const auto lines = rendered(sources);
    ASSERT_EQ(lines.size(), 5U);
    EXPECT_EQ(lines[0], "d: cannot be listed");
    EXPECT_THAT(lines[1], HasSubstr("a:2:10: 'resume'"));
    EXPECT_THAT(lines[2], HasSubstr("a:5:8: 'tier'"));
    EXPECT_THAT(lines[3], HasSubstr("b:1:"));
    EXPECT_THAT(lines[4], HasSubstr("c:1:9: ON_BOOT"));
}

TEST(ConfigProblems, NoTerminalIsHarmed) {
    EXPECT_EQ(render_problem({"a\x1b"
                              "b",
                              1, 2, "m"}),
              "a\\u001bb:1:2: m");
    EXPECT_EQ(rendered(text_source("\"\\u001b\" = 1"))[0].find('\x1b'), std::string::npos);
}

TEST(ConfigWarnings, AreNoProblems) {
    const auto config =
        Config::load(text_source("[shutdown]\ndeadline = '1min'\n[[guest]]\nname = 'a'\n"
                                 "shutdown.stop = ['save 2min', 'destroy 5min']\n"
                                 "[[uri]]\nuri = 'lxc:///system'\n",
                                 "f.toml"))
            .value();
    ASSERT_EQ(config->warnings().size(), 2U);
    EXPECT_EQ(render_problem(config->warnings()[0]),
              "f.toml:6:1: \"lxc:///system\" matches none of the uris in [daemon]");
    EXPECT_EQ(
        render_problem(config->warnings()[1]),
        "f.toml:5:10: the steps of 'stop' add up to 2min, the deadline is 1min: they will get "
        "less time");
    EXPECT_TRUE(Config::built_in()->warnings().empty());
}

}  // namespace
}  // namespace guestd::config
