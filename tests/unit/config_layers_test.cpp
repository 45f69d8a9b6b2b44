// SPDX-License-Identifier: LGPL-2.1-or-later
// Who wins: the strength of layers, what they match, and where each value came from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.hpp"
#include "config/ladder.hpp"

namespace guestd::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr const char* kUuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

std::shared_ptr<const Config> load(std::string toml, std::string sysconfig = {}) {
    auto sources = text_source(std::move(toml), "f.toml");
    if (!sysconfig.empty())
        sources.list.push_back({SourceKind::sysconfig, "sys", std::move(sysconfig)});
    auto config = Config::load(sources);
    if (!config)
        ADD_FAILURE() << render_problem(config.error()[0]);
    return config ? *config : Config::built_in();
}

GuestFacts guest(std::string name, std::string metadata = {}) {
    return {"qemu:///system", *Uuid::parse(kUuid), std::move(name), std::move(metadata)};
}

std::string set(const std::string& key, const std::string& value) {
    return "<policy xmlns=\"urn:guestd:policy:1\"><set key=\"" + key + "\" value=\"" + value +
           "\"/></policy>";
}

Explained explained(const Config& config, const GuestFacts* facts, std::optional<Trigger> trigger,
                    const std::string& key) {
    for (auto& each : config.explain(facts, trigger))
        if (each.key == key)
            return each;
    ADD_FAILURE() << "not explained: " << key;
    return {};
}

/// Weakest first: each line alone decides when all below it are left out.
TEST(ConfigLayers, LaterOnesAreStronger) {
    const std::string global = "[boot]\nready_timeout = 1\n";
    const std::string uri = "[[uri]]\nuri = 'qemu:///*'\nboot.ready_timeout = 3\n";
    const std::string first = "[[guest]]\nname = 'db-*'\nstart.ready_timeout = 4\n";
    const std::string second = "[[guest]]\nname = 'db-1'\nstart.ready_timeout = 5\n";
    const auto time = [](const Config& config, std::string metadata = {}) {
        return config.guest(guest("db-1", std::move(metadata)), {}).start.ready_timeout;
    };
    EXPECT_EQ(time(*Config::built_in()), 2min);
    EXPECT_EQ(time(*load(global)), 1s);
    // The text's order does not matter across ranks.
    EXPECT_EQ(time(*load(uri + global)), 3s);
    EXPECT_EQ(time(*load(first + uri + global)), 4s);
    EXPECT_EQ(time(*load(first + second + uri + global)), 5s);
    EXPECT_EQ(time(*load(second + first + uri + global)), 4s);
    EXPECT_EQ(time(*load(second + first), set("start.ready_timeout", "3s")), 3s);
    EXPECT_EQ(time(*load("daemon.metadata = false"), set("start.ready_timeout", "3s")), 2min);
}

TEST(ConfigLayers, LaterFilesOverrideSingleKeys) {
    auto sources =
        text_source("[boot]\nmax_parallel = 1\nretry = { attempts = 2, backoff = 3 }", "a");
    sources.list.push_back({SourceKind::toml, "b", "[boot]\nretry.attempts = 9\n"});
    sources.list.push_back({SourceKind::sysconfig, "c", "START_DELAY=7\n"});
    const auto config = Config::load(sources).value();
    EXPECT_EQ(config->uri("x:///", {}).max_parallel, 1U);
    EXPECT_EQ(config->uri("x:///", {}).start_delay, 7s);
    const auto retry = config->guest(guest("a"), {}).start.retry;
    EXPECT_EQ(retry, (Retry{9, 3s, 2min}));
}

TEST(ConfigLayers, TriggersWinWithinTheirRankOnly) {
    const auto config = load(
        "[shutdown.on.reboot]\nstop = 'save 1min'\ndeadline = 60\n"
        "[shutdown]\nstop = 'shutdown 2min'\ndeadline = 120\n"
        "[[uri]]\nuri = 'lxc:///'\nshutdown.on.reboot.deadline = 30\nshutdown.deadline = 40\n"
        "[[guest]]\nname = 'db'\nshutdown.stop = 'shutdown 9min'\n"
        "[[guest]]\nname = 'web'\nshutdown.stop = 'shutdown 8min'\n"
        "shutdown.on.reboot.stop = 'leave'\n");
    const auto stop = [&](const char* name, std::optional<Trigger> trigger) {
        return format_step(config->guest(guest(name), trigger).stop.stop.at(0));
    };
    EXPECT_EQ(stop("other", std::nullopt), "shutdown 2min");
    EXPECT_EQ(stop("other", Trigger::poweroff), "shutdown 2min");
    EXPECT_EQ(stop("other", Trigger::reboot), "save 1min");
    EXPECT_EQ(stop("db", Trigger::reboot), "shutdown 9min");
    EXPECT_EQ(stop("web", Trigger::poweroff), "shutdown 8min");
    EXPECT_EQ(stop("web", Trigger::reboot), "leave");
    const auto deadline = [&](const char* uri, std::optional<Trigger> trigger) {
        return config->uri(uri, trigger).deadline;
    };
    EXPECT_EQ(deadline("qemu:///system", Trigger::reboot), 60s);
    EXPECT_EQ(deadline("qemu:///system", std::nullopt), 120s);
    EXPECT_EQ(deadline("lxc:///", Trigger::ups), 40s);
    EXPECT_EQ(deadline("lxc:///", Trigger::reboot), 30s);
}

TEST(ConfigLayers, TablesMatchByAllTheySay) {
    const std::string tagged = "<policy><tag> web </tag><tag>front</tag></policy>";
    struct Case {
        std::string table;
        std::string metadata;
        bool matches;
    };
    for (const auto& [table, metadata, matches] : std::initializer_list<Case>{
             {"name = 'db-*'", "", true},
             {"name = 'web-*'", "", false},
             {"name = ['web-*', 'db-?']", "", true},
             {"uuid = '6BA7B810-9dad-11d1-80b4-00c04fd430c8'", "", true},
             {"uuid = '6ba7b810-9dad-11d1-80b4-00c04fd430c9'", "", false},
             {"uri = 'qemu:///system'", "", true},
             {"uri = 'qemu:///*'", "", true},
             {"uri = 'lxc:///'", "", false},
             {"tag = 'web'", tagged, true},
             {"tag = 'front'", tagged, true},
             {"tag = 'back'", tagged, false},
             {"tag = 'web'", "", false},
             {"name = 'db-*'\nuri = 'lxc:///'", "", false},
             {"name = 'db-*'\ntag = 'web'", tagged, true},
         }) {
        SCOPED_TRACE(table);
        const auto config = load("[[guest]]\n" + table + "\npriority = 7\n");
        EXPECT_EQ(config->guest(guest("db-1", metadata), {}).priority, matches ? 7 : 0);
    }
}

TEST(ConfigLayers, EveryValueKnowsWhereItCameFrom) {
    const auto config = load(
        "[shutdown]\nresend = 1\n[shutdown.on.reboot]\nresend = 2\n"
        "[[uri]]\nuri = 'qemu:///system'\nshutdown.deadline = 99\n"
        "[[guest]]\nname = 'db-*'\ntier = 'critical'\nshutdown.on.ups.busy = 3\n",
        "ON_BOOT=ignore\n");
    const auto facts = guest("db-1", "\n  " + set("start.policy", "never"));
    const auto check = [&](const char* key, std::optional<Trigger> trigger, const char* value,
                           const Origin& origin) {
        SCOPED_TRACE(key);
        const auto found = explained(*config, &facts, trigger, key);
        EXPECT_EQ(found.value, value);
        EXPECT_EQ(found.origin, origin) << found.origin.layer << found.origin.line;
    };
    check("shutdown.resend", {}, "\"1s\"", {"[shutdown]", "f.toml", 2, 1});
    check("shutdown.resend", Trigger::reboot, "\"2s\"", {"[shutdown.on.reboot]", "f.toml", 4, 1});
    check("start.resume", {}, "false", {"sysconfig", "sys", 1, 1});
    check("shutdown.deadline", {}, "\"1min 39s\"", {"[[uri]] qemu:///system", "f.toml", 7, 10});
    check("tier", {}, "\"critical\"", {"[[guest]] db-*", "f.toml", 10, 1});
    check("shutdown.busy", Trigger::ups, "\"3s\"", {"[[guest]] db-* on ups", "f.toml", 11, 17});
    check("start.policy", {}, "\"never\"", {"metadata", "", 2, 40});
    check("start.ready", {}, "[\"agent\"]", {"built-in", "", 0, 0});
    EXPECT_EQ(explained(*config, nullptr, {}, "boot.resume").origin.layer, "sysconfig");
    EXPECT_EQ(explained(*config, nullptr, {}, "shutdown.deadline").origin.layer, "built-in");
}

TEST(ConfigLayers, ExplainTellsTheTruth) {
    const auto config = load(
        "[boot]\nmax_parallel = 'auto'\nready = ['tcp:[::1]:22', 'delay:3']\n"
        "needs = 'pool:a\"b'\n");
    EXPECT_EQ(explained(*config, nullptr, {}, "boot.max_parallel").value, "\"auto\"");
    EXPECT_TRUE(config->uri("x:///", {}).adaptive_parallel);
    EXPECT_EQ(config->uri("x:///", {}).max_parallel, 4U);
    EXPECT_EQ(explained(*config, nullptr, {}, "boot.ready").value,
              "[\"tcp:[::1]:22\", \"delay:3s\"]");
    EXPECT_EQ(explained(*config, nullptr, {}, "boot.needs").value, R"(["pool:a\"b"])");
}

TEST(ConfigLayers, TableFormOfAStep) {
    const auto config = load(
        "[shutdown]\nstop = [{ step = 'save', time = '2min' }, { step = 'destroy', time = 3 }]");
    EXPECT_EQ(config->guest(guest("a"), {}).stop.stop,
              (Ladder{{StepKind::save, ShutdownMode::automatic, 2min, {}},
                      {StepKind::destroy, ShutdownMode::automatic, 3s, {}}}));
}

TEST(ConfigLayers, TellsWhatMatchesNobody) {
    const auto config = load(
        "[[guest]]\nname = 'db-*'\n[[guest]]\nname = 'bd-*'\n"
        "[[guest]]\nname = 'db-1'\nafter = ['db-2', 'db-3', 'x*']\n");
    std::vector<std::string> lines;
    for (const auto& problem : config->unmatched({guest("db-1"), guest("db-2")}))
        lines.push_back(render_problem(problem));
    EXPECT_THAT(lines, ElementsAre("f.toml:3:1: [[guest]] bd-* matches no guest",
                                   "f.toml:7:1: 'after' \"db-3\" matches no guest",
                                   "f.toml:7:1: 'after' \"x*\" matches no guest"));
}

}  // namespace
}  // namespace guestd::config
