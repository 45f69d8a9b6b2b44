// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The order graph, the ladder that fits a guest, and the latest ends of its rungs: pure functions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ladder.hpp"
#include "core/order.hpp"

namespace guestd::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum RungKind;

TEST(Order, depth_counts_needs_and_height_counts_dependents) {
    const std::vector<OrderNode> nodes = {
        {"web", {}, {"app"}}, {"app", {"db"}, {}}, {"db", {}, {}}, {"alone", {}, {}}};
    const auto order = build_order(nodes);
    EXPECT_THAT(order.depth, ElementsAre(2, 1, 0, 0));
    EXPECT_THAT(order.height, ElementsAre(0, 1, 2, 0));
    EXPECT_TRUE(order.needs[0][0].hard);
    EXPECT_FALSE(order.needs[1][0].hard);
}

TEST(Order, globs_expand_to_all_matches_but_not_to_the_guest_itself) {
    const std::vector<OrderNode> nodes = {
        {"db-1", {"db-*"}, {}}, {"db-2", {}, {}}, {"x", {"d*"}, {}}};
    const auto order = build_order(nodes);
    EXPECT_THAT(order.needs[0], SizeIs(1));
    EXPECT_THAT(order.needs[2], SizeIs(2));
}

TEST(Order, doubled_edges_become_one_and_hard) {
    const std::vector<OrderNode> nodes = {{"web", {"db", "d*"}, {"db"}}, {"db", {}, {}}};
    const auto order = build_order(nodes);
    ASSERT_THAT(order.needs[0], SizeIs(1));
    EXPECT_TRUE(order.needs[0][0].hard);
}

TEST(Order, a_cycle_is_cut_and_printed) {
    const std::vector<OrderNode> nodes = {{"a", {"b"}, {}}, {"b", {"c"}, {}}, {"c", {"a"}, {}}};
    const auto order = build_order(nodes);
    EXPECT_THAT(order.cycles, ElementsAre("a -> b -> c -> a"));
    EXPECT_THAT(order.depth, ElementsAre(2, 1, 0));
}

/// Half the edges of everybody after everybody are cut; a person wants to read of a few.
TEST(Order, of_many_cycles_a_few_are_told) {
    std::vector<OrderNode> nodes;
    for (int i = 0; i < 100; ++i)
        nodes.push_back({"guest" + std::to_string(i), {"*"}, {}});
    const auto order = build_order(nodes);
    EXPECT_THAT(order.cycles, SizeIs(32));
    std::size_t edges = 0;
    for (const auto& needs : order.needs)
        edges += needs.size();
    EXPECT_EQ(edges, 100U * 99 / 2);
    for (const auto& cycle : order.cycles)
        EXPECT_LT(cycle.size(), 250U);
}

TEST(Order, a_pattern_that_matches_nothing_is_reported) {
    const std::vector<OrderNode> nodes = {{"a", {"nobody"}, {"no-*"}}};
    EXPECT_THAT(build_order(nodes).unmatched,
                ElementsAre(HasSubstr("after 'nobody'"), HasSubstr("requires 'no-*'")));
}

TEST(Order, chains_of_thousands_need_no_stack) {
    std::vector<OrderNode> nodes = {{"0", {}, {}}};
    for (int i = 1; i < 20000; ++i)
        nodes.push_back({std::to_string(i), {std::to_string(i - 1)}, {}});
    EXPECT_EQ(build_order(nodes).depth.back(), 19999U);
}

TEST(Order, an_escaped_name_matches_itself_only) {
    const std::string evil = R"(a*[b]?\c)";
    EXPECT_TRUE(glob_matches(glob_escape(evil), evil));
    EXPECT_FALSE(glob_matches(glob_escape("a*"), "ab"));
    EXPECT_FALSE(glob_matches(glob_escape("a?"), "ab"));
    EXPECT_TRUE(selected({}, "anything"));
    EXPECT_TRUE(selected({"[odd", "x"}, "[odd")) << "a broken pattern matches itself";
    EXPECT_FALSE(selected({"y*"}, "x"));
    EXPECT_TRUE(selected({"\\x", glob_escape("a*")}, "x")) << "what is quoted needlessly";
    EXPECT_TRUE(selected({glob_escape("a*")}, "a*"));
    EXPECT_FALSE(selected({glob_escape("a*")}, "ab"));
    EXPECT_TRUE(selected({"b", "a?"}, "ab")) << "names and globs together";
    EXPECT_TRUE(selected({"x\\"}, "x\\")) << "a broken pattern matches itself";
}

std::vector<RungKind> rungs(const StopPolicy& policy, GuestState state, bool persistent = true) {
    std::vector<RungKind> kinds;
    for (const auto& rung :
         effective_ladder(policy, GuestInfo{.state = state, .persistent = persistent}))
        kinds.push_back(rung.kind);
    return kinds;
}

TEST(EffectiveLadder, fits_the_guest) {
    const StopPolicy standard;
    EXPECT_THAT(rungs(standard, GuestState::running), ElementsAre(shutdown, save, destroy));
    EXPECT_THAT(rungs(standard, GuestState::crashed), ElementsAre(destroy));
    EXPECT_THAT(rungs(standard, GuestState::paused), ElementsAre(save, destroy));
    EXPECT_THAT(rungs(standard, GuestState::pmsuspended),
                ElementsAre(wake, shutdown, save, destroy));
    EXPECT_THAT(rungs(standard, GuestState::shutting_down),
                ElementsAre(wait, shutdown, save, destroy));
    EXPECT_THAT(rungs(standard, GuestState::running, false), ElementsAre(shutdown, destroy));
    EXPECT_THAT(rungs(standard, GuestState::paused, false), ElementsAre(resume, shutdown, destroy));
}

TEST(EffectiveLadder, of_an_empty_policy_leaves_and_leave_overrides_every_rule) {
    StopPolicy policy;
    policy.stop.clear();
    EXPECT_THAT(rungs(policy, GuestState::running), ElementsAre(leave));
    policy.stop = {Step{.kind = StepKind::leave}};
    EXPECT_THAT(rungs(policy, GuestState::crashed), ElementsAre(leave));
    EXPECT_THAT(rungs(policy, GuestState::paused, false), ElementsAre(leave));
}

TEST(EffectiveLadder, a_paused_guest_of_a_ladder_without_destroy_is_never_destroyed) {
    StopPolicy policy;
    policy.stop = {Step{.kind = StepKind::shutdown}};
    EXPECT_THAT(rungs(policy, GuestState::paused), ElementsAre(save));
}

TEST(LatestEnds, leave_each_later_rung_its_time) {
    const std::vector<Rung> ladder = {{.kind = shutdown, .time = 5min},
                                      {.kind = save, .time = 3min},
                                      {.kind = destroy, .time = 20s}};
    EXPECT_THAT(latest_ends(ladder, TimePoint{}, TimePoint{10min}),
                ElementsAre(TimePoint{6min + 40s}, TimePoint{9min + 40s}, TimePoint{10min}));
    EXPECT_THAT(latest_ends(ladder, TimePoint{}, kNever), ElementsAre(kNever, kNever, kNever));
}

TEST(LatestEnds, shorten_all_rungs_alike_when_the_ladder_does_not_fit) {
    const std::vector<Rung> ladder = {{.kind = shutdown, .time = 60s}, {.kind = save, .time = 60s}};
    EXPECT_THAT(latest_ends(ladder, TimePoint{}, TimePoint{60s}),
                ElementsAre(TimePoint{30s}, TimePoint{60s}));
    EXPECT_THAT(latest_ends(ladder, TimePoint{100s}, TimePoint{60s}),
                ElementsAre(TimePoint{60s}, TimePoint{60s}));
}

}  // namespace
}  // namespace guestd::core
