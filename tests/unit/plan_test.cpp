// SPDX-License-Identifier: LGPL-2.1-or-later

/// Plans of small fleets whose times can be added up by hand.

#include "plan/plan.hpp"

#include <gmock/gmock.h>

#include "sim/policy.hpp"

namespace guestd::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Step step(StepKind kind, Duration time) {
    return {.kind = kind, .time = time};
}

class PlanTest : public testing::Test {
protected:
    Guest& add(const std::string& name) {
        Uuid::Raw raw{};
        raw[3] = 7;  // not what the simulator would choose
        raw.back() = static_cast<std::uint8_t>(fleet.guests.size() + 1);
        fleet.guests.push_back({.uuid = Uuid{raw}, .name = name, .memory = {1ULL << 30}});
        fleet.guests.back().pace = {.shutdown = 10s, .start = 1s, .ready = 20s};
        return fleet.guests.back();
    }
    const Plan& drain() {
        request.kind = RunKind::drain;
        return plan.emplace(make_plan(fleet, policy, request));
    }
    const Plan& boot() {
        request.kind = RunKind::boot;
        return plan.emplace(make_plan(fleet, policy, request));
    }
    const Way& way(const Scenario& scenario, const std::string& name) const {
        for (const auto& each : scenario.ways)
            if (fleet.guests[each.guest].name == name)
                return each;
        static const Way none;
        ADD_FAILURE() << name << " takes no part";
        return none;
    }
    std::vector<std::string> chain(const Scenario& scenario) const {
        std::vector<std::string> links;
        for (const auto& link : scenario.chain)
            links.push_back(fleet.guests[scenario.ways[link.way].guest].name + " " + link.why);
        return links;
    }
    const Finding* finding(const std::string& code) const {
        for (const auto& each : plan->findings)
            if (each.code == code)
                return &each;
        return nullptr;
    }
    static std::string names(const Scenario& scenario, const Fleet& of) {
        std::string all;
        for (const auto& each : scenario.ways)
            all += of.guests[each.guest].name + " ";
        return all;
    }
    /// To the second: events and looks take some milliseconds of the simulated time too.
    static long seconds(Duration time) {
        return std::chrono::round<std::chrono::seconds>(time).count();
    }

    Fleet fleet;
    std::shared_ptr<sim::Policy> policy = std::make_shared<sim::Policy>();
    Request request;
    std::optional<Plan> plan;
};

TEST_F(PlanTest, DrainsInReverseOrder) {
    add("web").pace.shutdown = 5s;
    add("db");
    add("off").state = GuestState::shutoff;
    policy->of("web").after = {"db"};
    const auto& expected = drain().expected;
    EXPECT_EQ(names(expected, fleet), "web db ");
    EXPECT_EQ(seconds(way(expected, "web").end()), 5);
    EXPECT_EQ(seconds(way(expected, "db").begin()), 5);
    EXPECT_EQ(way(expected, "db").stretches.front().note, "web to be off");
    EXPECT_EQ(seconds(expected.length), 15);
    EXPECT_EQ(expected.deadline, Duration{10min});
    EXPECT_EQ(way(expected, "db").outcome, Outcome::shut_down);
    EXPECT_FALSE(way(expected, "db").late);
    EXPECT_THAT(chain(expected), ElementsAre("web with the run", "db after web"));
}

TEST_F(PlanTest, GoesDownTheWholeLadderAtWorst) {
    add("deaf");
    policy->guests.stop.stop = {step(StepKind::shutdown, 60s), step(StepKind::destroy, 20s)};
    drain();
    EXPECT_EQ(way(plan->expected, "deaf").outcome, Outcome::shut_down);
    const auto& worst = way(plan->worst, "deaf");
    EXPECT_EQ(worst.outcome, Outcome::destroyed);
    EXPECT_GE(seconds(worst.end()), 60 + 15);  // SIGTERM is ignored as well
    EXPECT_TRUE(worst.late);
    EXPECT_THAT(worst.late_because, HasSubstr("killed"));
}

TEST_F(PlanTest, KnowsWhoMissesTheDeadlineAndWhy) {
    add("slow").pace.shutdown = 300s;
    add("quick");
    policy->guests.stop.stop = {step(StepKind::shutdown, 600s), step(StepKind::destroy, 20s)};
    request.deadline = 100s;
    drain();
    EXPECT_TRUE(way(plan->expected, "slow").late);
    EXPECT_FALSE(way(plan->expected, "quick").late);
    EXPECT_LE(seconds(plan->expected.length), 100);
    const auto* over = finding("ladder-over-deadline");
    ASSERT_NE(over, nullptr);
    EXPECT_THAT(over->guests, ElementsAre("slow", "quick"));
    EXPECT_THAT(over->text, HasSubstr("add up to 10min,"));
    EXPECT_THAT(over->text, HasSubstr("1min 40s"));
}

TEST_F(PlanTest, SavesAtTheRateOfItsDisk) {
    add("a");
    add("b");
    fleet.rates["qemu:///system"] = {64ULL << 20};
    policy->guests.stop.stop = {step(StepKind::save, 5min), step(StepKind::destroy, 20s)};
    drain();
    EXPECT_EQ(seconds(plan->expected.length), 32);  // 2 GiB
    EXPECT_EQ(way(plan->expected, "a").outcome, Outcome::saved);
    EXPECT_EQ(seconds(plan->worst.length), 64);
}

TEST_F(PlanTest, UsesTheLadderOfTheTrigger) {
    add("a");
    class ByTrigger : public sim::Policy {
        GuestPolicy guest(const GuestFacts&, std::optional<Trigger> trigger) const override {
            GuestPolicy policy;
            if (trigger == Trigger::ups)
                policy.stop.stop = {step(StepKind::destroy, 20s)};
            return policy;
        }
        UriPolicy uri(const std::string&, std::optional<Trigger> trigger) const override {
            return {.deadline = trigger == Trigger::ups ? 1min : 10min};
        }
    };
    policy = std::make_shared<ByTrigger>();
    request.trigger = Trigger::ups;
    drain();
    EXPECT_EQ(way(plan->expected, "a").outcome, Outcome::destroyed);
    EXPECT_FALSE(way(plan->expected, "a").late);  // it was meant to be
    EXPECT_EQ(plan->expected.deadline, Duration{1min});
}

TEST_F(PlanTest, AsksForPolicyWithTheGuestsOwnFacts) {
    auto& guest = add("a");
    guest.metadata = "<policy/>";
    class Asked : public sim::Policy {
    public:
        mutable std::vector<GuestFacts> facts;

    private:
        GuestPolicy guest(const GuestFacts& of, std::optional<Trigger>) const override {
            facts.push_back(of);
            return {};
        }
    };
    const auto asked = std::make_shared<Asked>();
    make_plan(fleet, asked, request);
    ASSERT_FALSE(asked->facts.empty());
    for (const auto& facts : asked->facts) {
        EXPECT_EQ(facts.uuid, guest.uuid);
        EXPECT_EQ(facts.metadata, "<policy/>");
    }
}

TEST_F(PlanTest, BootsWhatTheDrainTookDown) {
    add("db");
    add("web");
    auto& auto_start = add("auto");
    auto_start.state = GuestState::shutoff;
    auto_start.autostart = true;
    add("listed").state = GuestState::shutoff;
    fleet.guests.back().resume = true;
    add("off").state = GuestState::shutoff;
    policy->of("web").requires_ = {"db"};
    policy->of("db").priority = 5;
    policy->uris.max_parallel = 1;
    boot();
    EXPECT_EQ(names(plan->expected, fleet), "db web auto listed ");
    EXPECT_EQ(seconds(plan->expected.length), 4 * 21);
    EXPECT_EQ(way(plan->expected, "db").outcome, Outcome::started);
    EXPECT_EQ(plan->expected.deadline, std::nullopt);
    EXPECT_THAT(chain(plan->expected),
                ElementsAre("db with the run", "web after db", "auto in the place of web",
                            "listed in the place of auto"));
    // At worst the first two are saved, and read at half the rate; each takes all of its time to be
    // ready, and the next one starts all the same.
    EXPECT_EQ(seconds(plan->worst.length), 2 * (8 + 120) + 2 * (1 + 120));
    EXPECT_TRUE(way(plan->worst, "web").late);
}

TEST_F(PlanTest, RestoresWhatWasSaved) {
    add("a").pace.ready.reset();
    fleet.rates["qemu:///system"] = {1ULL << 30};
    policy->guests.stop.stop = {step(StepKind::save, 5min), step(StepKind::destroy, 20s)};
    boot();
    EXPECT_EQ(way(plan->expected, "a").outcome, Outcome::restored);
    EXPECT_EQ(seconds(plan->expected.length), 3);       // a second to read 1 GiB, two for its agent
    EXPECT_EQ(finding("ready-time-assumed"), nullptr);  // that is not how it gets ready
}

TEST_F(PlanTest, PromisesNoShortBadDay) {
    add("a");
    fleet.rates["qemu:///system"] = {64ULL << 20};
    policy->guests.stop.stop = {step(StepKind::save, 20s), step(StepKind::destroy, 20s)};
    policy->guests.start.ready = {{.kind = ProbeKind::running}};
    boot();
    EXPECT_EQ(way(plan->expected, "a").outcome, Outcome::restored);
    // The save takes too long, so that there is nothing to restore: that start is quick.
    EXPECT_EQ(way(plan->worst, "a").outcome, Outcome::started);
    EXPECT_LT(way(plan->worst, "a").end(), way(plan->expected, "a").end());
    EXPECT_EQ(plan->worst.length, plan->expected.length);
}

TEST_F(PlanTest, AssumesNothingOfThoseWhoAreNotAsked) {
    add("asked").pace = {};
    add("paused").pace = {};
    fleet.guests.back().state = GuestState::paused;
    drain();
    ASSERT_NE(finding("shutdown-time-assumed"), nullptr);
    EXPECT_THAT(finding("shutdown-time-assumed")->guests, ElementsAre("asked"));
    policy->guests.start.ready = {{.kind = ProbeKind::running}};
    boot();
    EXPECT_EQ(finding("ready-time-assumed"), nullptr);
}

TEST_F(PlanTest, WaitsAsLongAsTheProbesSay) {
    add("a");
    policy->guests.start.ready = {{.kind = ProbeKind::delay, .span = 45s}};
    boot();
    EXPECT_EQ(seconds(plan->expected.length), 46);
    EXPECT_EQ(seconds(plan->worst.length), 8 + 45);  // a delay is no worse on a bad day
    EXPECT_FALSE(way(plan->worst, "a").late);
}

TEST_F(PlanTest, FindsRequiredGuestsThatStayDown) {
    add("web");
    add("db").state = GuestState::shutoff;
    policy->of("web").requires_ = {"db"};
    boot();
    const auto* found = finding("required-stays-down");
    ASSERT_NE(found, nullptr);
    EXPECT_THAT(found->text, HasSubstr("db, required by web"));
    fleet.guests[1].autostart = true;
    boot();
    EXPECT_EQ(finding("required-stays-down"), nullptr);
}

TEST_F(PlanTest, FindsChainsThatCannotEndInTime) {
    add("web");
    add("app");
    add("db");
    add("alone");
    policy->guests.stop.stop = {step(StepKind::shutdown, 4min), step(StepKind::destroy, 20s)};
    policy->of("web").after = {"app"};
    policy->of("app").after = {"db"};
    drain();
    const auto* found = finding("chain-over-deadline");
    ASSERT_NE(found, nullptr);
    EXPECT_THAT(found->guests, ElementsAre("web", "app", "db"));
    EXPECT_THAT(found->text, HasSubstr("12min"));
    EXPECT_EQ(finding("ladder-over-deadline"), nullptr);
    policy->of("app").after = {};
    drain();
    EXPECT_EQ(finding("chain-over-deadline"), nullptr);
}

TEST_F(PlanTest, FindsCirclesAndWhatItAssumed) {
    add("a").pace = {};
    add("b").memory = {};
    policy->of("a").after = {"b"};
    policy->of("b").after = {"a"};
    policy->guests.stop.stop = policy->of("a").stop.stop = {step(StepKind::shutdown, 1min)};
    drain();
    EXPECT_NE(finding("order-cycle"), nullptr);
    ASSERT_NE(finding("shutdown-time-assumed"), nullptr);
    EXPECT_THAT(finding("shutdown-time-assumed")->guests, ElementsAre("a"));
    EXPECT_THAT(finding("memory-assumed")->guests, ElementsAre("b"));
    EXPECT_THAT(finding("no-last-step")->guests, ElementsAre("a"));
}

TEST_F(PlanTest, NamesAFewOfMany) {
    for (int i = 0; i < 5; ++i)
        add("g" + std::to_string(i)).pace = {};
    drain();
    EXPECT_THAT(finding("shutdown-time-assumed")->text, HasSubstr("g0, g1, g2 and 2 more"));
}

TEST_F(PlanTest, KeepsUrisApart) {
    add("a").uri = "test:///a";
    add("a").uri = "test:///b";
    policy->named_uris["test:///b"].deadline = 5s;
    drain();
    ASSERT_EQ(plan->expected.ways.size(), 2U);
    for (const auto& each : plan->expected.ways)
        EXPECT_EQ(each.late, fleet.guests[each.guest].uri == "test:///b");
    EXPECT_EQ(plan->expected.deadline, Duration{10min});
}

TEST_F(PlanTest, PlansForNobody) {
    drain();
    EXPECT_TRUE(plan->expected.ended);
    EXPECT_THAT(plan->expected.ways, IsEmpty());
    EXPECT_THAT(plan->expected.chain, IsEmpty());
    boot();
    EXPECT_THAT(plan->expected.ways, IsEmpty());
}

}  // namespace
}  // namespace guestd::plan
