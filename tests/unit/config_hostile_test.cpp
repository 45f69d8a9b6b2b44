// SPDX-License-Identifier: LGPL-2.1-or-later
// Metadata that is not trusted concerns its own guest: whatever it says, the other guests fare as
// if it said nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "config/config.hpp"
#include "plan/plan.hpp"

namespace guestd::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kGuest = "evil1";

std::string with(const std::string& key, const std::string& value) {
    return fmt::format("<set key='{}' value='{}'/>", key, value);
}

std::shared_ptr<const Config> load(const std::string& toml) {
    return Config::load(text_source("daemon.trust_metadata = false\n" + toml, "f.toml")).value();
}

GuestFacts facts(const std::string& metadata) {
    return {"qemu:///system", {}, kGuest, metadata};
}

/// Of what guests share, each more than a table gives: left out, and said.
TEST(HostileMetadata, AsksForNoMoreThanTheConfigurationGives) {
    const auto config = load(
        "[[guest]]\nname = 'evil*'\ntier = 'expendable'\npriority = 3\n"
        "start.ready_timeout = '1min'\nstart.retry = { attempts = 4, backoff = '3s' }\n"
        "shutdown.resend = '20s'\n");
    struct Case {
        const char* key;
        const char* more;
        const char* less;
    };
    for (const auto& [key, more, less] :
         std::initializer_list<Case>{{"tier", "normal", "expendable"},
                                     {"priority", "4", "-1000"},
                                     {"start.ready_timeout", "61s", "59s"},
                                     {"start.retry.attempts", "5", "1"},
                                     {"start.retry.backoff", "2s", "4s"},
                                     {"start.retry.max_backoff", "1min", "3min"},
                                     {"shutdown.resend", "19s", "21s"},
                                     {"shutdown.resend", "19s", "0"}}) {
        SCOPED_TRACE(key);
        const auto value = [&](const std::string& metadata) {
            const auto asked = facts(metadata);
            const auto all = config->explain(&asked, std::nullopt);
            return std::ranges::find(all, key, &Explained::key)->value;
        };
        const auto given = value("");
        EXPECT_EQ(value(with(key, more)), given);
        EXPECT_NE(value(with(key, less)), more);
        EXPECT_THAT(config->metadata_problems(facts(with(key, less))), IsEmpty());
        const auto told = config->metadata_problems(facts(with(key, more)));
        ASSERT_EQ(told.size(), 1U);
        EXPECT_THAT(told[0].message, HasSubstr("the configuration grants " + given));
    }
    // What holds for one trigger is measured by what the configuration gives for that trigger.
    EXPECT_EQ(config->guest(facts(with("shutdown.on.ups.resend", "1s")), Trigger::ups).stop.resend,
              20s);
}

/// The administrator may hand out more, by a table for a tag.
TEST(HostileMetadata, ATagGivesWhatItsTableGives) {
    const auto config =
        load("[[guest]]\ntag = 'db'\ntier = 'critical'\n[[guest]]\ntag = 'web'\nafter = ['db*']\n");
    EXPECT_EQ(config->guest(facts("<tag>db</tag>" + with("tier", "critical")), {}).tier,
              Tier::critical);
    EXPECT_THAT(config->guest(facts("<tag>web</tag>"), Trigger::reboot).after, ElementsAre("db*"));
}

/// By default only those write it who may command libvirt, and so every guest.
TEST(TrustedMetadata, AsksForWhatItLikes) {
    const auto config = Config::built_in();
    const auto asked = facts(with("tier", "critical") + with("priority", "9") + with("after", "a"));
    const auto policy = config->guest(asked, Trigger::reboot);
    EXPECT_EQ(policy.tier, Tier::critical);
    EXPECT_EQ(policy.priority, 9);
    EXPECT_THAT(policy.after, ElementsAre("a"));
    EXPECT_THAT(config->metadata_problems(asked), IsEmpty());
}

TEST(HostileMetadata, OrdersItsOwnStartOnly) {
    const auto config = load("[[guest]]\nname = 'evil*'\nafter = ['db']\n");
    const auto own = facts(with("after", "a;b") + with("requires", "c"));
    EXPECT_THAT(config->guest(own, {}).after, ElementsAre("a", "b"));
    EXPECT_THAT(config->guest(own, {}).requires_, ElementsAre("c"));
    EXPECT_THAT(config->guest(own, Trigger::reboot).after, ElementsAre("db"));
    EXPECT_THAT(config->guest(own, Trigger::reboot).requires_, IsEmpty());
}

class Fleet {
public:
    explicit Fleet(unsigned seed) : random_(seed) {
        for (unsigned i = 0; i < 5; ++i)
            add(fmt::format("vm{}", i)).pace = {.shutdown = 60s, .start = 2s, .ready = 20s};
        // They obey nobody, and are never ready.
        for (unsigned i = 0; i < 1 + seed % 6; ++i)
            add(fmt::format("evil{}", i)).pace = {.shutdown = 1h, .start = 2s, .ready = 24h};
    }
    struct Fate {
        std::string name;
        long begin;
        long end;
        Outcome outcome;
        bool no_worse_than(const Fate& other) const {
            return name == other.name && begin <= other.begin && end <= other.end &&
                   outcome == other.outcome;
        }
        friend void PrintTo(const Fate& fate, std::ostream* out) {
            *out << fmt::format("{} {}..{} s {}", fate.name, fate.begin, fate.end,
                                to_string(fate.outcome));
        }
    };
    /// Of each guest that has said nothing: as planned, then at worst.
    std::vector<Fate> others(RunKind kind, const std::function<std::string()>& metadata) {
        for (auto& guest : fleet_.guests)
            if (guest.name.starts_with("evil"))
                guest.metadata = said_ = metadata();
        const auto plan = plan::make_plan(fleet_, load(""), {.kind = kind});
        std::vector<Fate> fates;
        for (const auto* scenario : {&plan.expected, &plan.worst}) {
            const auto from = static_cast<std::ptrdiff_t>(fates.size());
            for (const auto& way : scenario->ways)
                if (const auto& name = fleet_.guests[way.guest].name; name.starts_with("vm"))
                    fates.push_back({name, seconds(way.begin()), seconds(way.end()), way.outcome});
            std::sort(fates.begin() + from, fates.end(),
                      [](const auto& a, const auto& b) { return a.name < b.name; });
        }
        return fates;
    }
    /// No saves: those share the disk with the others.
    std::string hostile() {
        std::string text;
        const auto maybe = [&](const char* key, std::vector<std::string> values) {
            if (random_() % 3 > 0)
                text += with(key, one_of(std::move(values)));
        };
        maybe("tier", {"critical", "normal"});
        maybe("priority", {"1000", "1", "0"});
        maybe("after", {"*", "vm*", "evil0; vm1", "evil*"});
        maybe("requires", {"vm0", "*", "evil*"});
        maybe("shutdown.stop", {"shutdown 1h", "shutdown 9min; destroy", "shutdown 1s; leave"});
        maybe("shutdown.resend", {"1ms", "0"});
        maybe("shutdown.busy", {"1h"});
        maybe("start.ready", {"tcp:1", "delay:1h", "agent; address", "io-settle"});
        maybe("start.ready_timeout", {"10h", "1h"});
        maybe("start.retry.attempts", {"1000"});
        maybe("start.retry.backoff", {"1ms"});
        maybe("start.on_ready_timeout", {"fail", "continue"});
        maybe("start.policy", {"always"});
        return text;
    }
    const std::string& last_metadata() const { return said_; }

private:
    plan::Guest& add(const std::string& name) {
        Uuid::Raw raw{};
        raw.back() = static_cast<std::uint8_t>(fleet_.guests.size() + 1);
        auto& guest = fleet_.guests.emplace_back();
        guest.uuid = Uuid{raw};
        guest.name = name;
        guest.autostart = true;
        guest.memory = {1ULL << 30};
        return guest;
    }
    static long seconds(Duration time) {
        return std::chrono::round<std::chrono::seconds>(time).count();
    }
    std::string one_of(std::vector<std::string> choices) {
        return choices[random_() % choices.size()];
    }

    std::minstd_rand random_;
    plan::Fleet fleet_;
    std::string said_;
};

/// Nobody begins or ends later, or otherwise; as planned and at worst, by the core that does it.
void expect_no_worse(RunKind kind, const std::string& harmless) {
    for (unsigned seed = 1; seed <= 24; ++seed) {
        Fleet fleet{seed};
        const auto alone = fleet.others(kind, [&] { return harmless; });
        const auto beside = fleet.others(kind, [&] { return fleet.hostile(); });
        ASSERT_EQ(beside.size(), alone.size());
        for (std::size_t i = 0; i < alone.size(); ++i)
            ASSERT_TRUE(beside[i].no_worse_than(alone[i]))
                << ::testing::PrintToString(beside[i]) << " instead of "
                << ::testing::PrintToString(alone[i]) << "; seed " << seed << ", the last said "
                << fleet.last_metadata();
    }
}

TEST(HostileMetadata, TakesNoTimeOfOthersInADrain) {
    expect_no_worse(RunKind::drain, "");
}

/// A guest that is never ready holds a place for as long as the configuration says.
TEST(HostileMetadata, TakesNoTurnOfOthersInABoot) {
    expect_no_worse(RunKind::boot, with("start.ready", "delay:1h"));
}

}  // namespace
}  // namespace guestd::config
