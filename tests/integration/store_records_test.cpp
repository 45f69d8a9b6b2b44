// SPDX-License-Identifier: LGPL-2.1-or-later
// Every record goes in and comes out again, whatever its texts are.
#include <gmock/gmock.h>

#include "store_support.hpp"

namespace guestd::store::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// What could end a string, a statement or a terminal line too early.
const std::string kHostile = std::string{"'; DROP TABLE resume; --\n\x1b[2J\xff\xfe"} + '\0' + "é";

RunRecord full_run(RunId id) {
    return {.id = id,
            .kind = RunKind::drain,
            .trigger = Trigger::soft_reboot,
            .state = RunState::active,
            .boot_id = "boot-1",
            .started = at(5'000'000),
            .deadline = kNever,
            .ended = std::nullopt,
            .started_wall = WallTime{std::chrono::microseconds{1'700'000'000'000'001}},
            .clean = false,
            .selection = {"web-*", kHostile, ""}};
}

ResumeEntry full_entry(unsigned number) {
    return {.uri = "qemu+ssh://b/system",
            .uuid = uuid(number),
            .name = kHostile,
            .was_paused = true,
            .transient = number % 2 == 0,
            .expect_restore = true,
            .disk_identity = kHostile,
            .run = 7,
            .since = WallTime{std::chrono::microseconds{-5}},
            .last_error = kHostile};
}

RunGuestRecord full_guest(RunId run, unsigned number, Outcome outcome) {
    return {.run = run,
            .uri = "lxc:///system",
            .uuid = uuid(number),
            .name = kHostile,
            .outcome = outcome,
            .cause = kHostile,
            .started = at(1),
            .ended = std::nullopt,
            .bytes = Bytes{1ULL << 40}};
}

SpanRecord full_span(RunId run, std::optional<TimePoint> end) {
    return {.run = run,
            .uri = "u",
            .uuid = uuid(1),
            .what = "save",
            .begin = at(9),
            .end = end,
            .note = kHostile};
}

class Records : public ::testing::Test {
protected:
    /// Closes the store, which writes everything, and reads.
    History& history() {
        opened.store.reset();
        reader = std::move(*History::open(dir.state()));
        return *reader;
    }
    TempDir dir;
    Answers answers;
    Opened opened = open_store(dir, answers);
    Store& store = *opened.store;
    std::unique_ptr<History> reader;
};

TEST_F(Records, NewStateIsEmptyAndPrivate) {
    EXPECT_THAT(opened.remarks, IsEmpty());
    EXPECT_THAT(opened.restored.resume_list, IsEmpty());
    EXPECT_FALSE(opened.restored.unfinished);
    EXPECT_EQ(opened.restored.last_run, 0U);
    EXPECT_FALSE(opened.restored.boot_run_done);
    EXPECT_EQ(store.last_good_config(), std::nullopt);
    EXPECT_EQ(fs::status(dir.state()).permissions(), fs::perms::owner_all);
    EXPECT_EQ(fs::status(dir.db()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Records, RunWithGuestsAndEntries) {
    store.write(StoreRun{
        .id = 1,
        .run = full_run(7),
        .guests = {full_guest(7, 2, Outcome::saved), full_guest(7, 1, Outcome::held_elsewhere)},
        .entries = {full_entry(3), full_entry(2)}});
    EXPECT_TRUE(answers.of(1).durable);
    EXPECT_THAT(*history().runs(10), ElementsAre(full_run(7)));
    EXPECT_THAT(*reader->guests(7), ElementsAre(full_guest(7, 2, Outcome::saved),
                                                full_guest(7, 1, Outcome::held_elsewhere)));
    EXPECT_THAT(*reader->resume_list(), ElementsAre(full_entry(3), full_entry(2)));
    const Restored restored = reopen(dir);
    EXPECT_EQ(restored.unfinished, full_run(7));
    EXPECT_EQ(restored.unfinished_guests.size(), 2U);
    EXPECT_THAT(restored.resume_list, ElementsAre(full_entry(3), full_entry(2)));
    EXPECT_EQ(restored.last_run, 7U);
}

TEST_F(Records, EveryWordOfEveryEnumeration) {
    StoreRun command{.id = 1, .run = full_run(1)};
    for (int outcome = 0; outcome <= static_cast<int>(Outcome::failed); ++outcome)
        command.guests.push_back(
            full_guest(1, static_cast<unsigned>(outcome), static_cast<Outcome>(outcome)));
    store.write(command);
    RunId id = 2;
    std::vector<RunRecord> runs;
    for (int trigger = 0; trigger <= static_cast<int>(Trigger::host_boot); ++trigger)
        for (int state = 0; state <= static_cast<int>(RunState::superseded); ++state) {
            runs.push_back(full_run(id++));
            runs.back().trigger = static_cast<Trigger>(trigger);
            runs.back().state = static_cast<RunState>(state);
            runs.back().kind = state % 2 == 0 ? RunKind::boot : RunKind::drain;
            store.write(StoreRunEnd{.run = runs.back()});
        }
    runs.insert(runs.begin(), command.run);
    std::reverse(runs.begin(), runs.end());
    EXPECT_EQ(*history().runs(1000), runs);
    EXPECT_EQ(*reader->guests(1), command.guests);
}

TEST_F(Records, GoingOnWithARunKeepsItsSpansAndOtherGuests) {
    store.write(StoreRun{.run = full_run(1),
                         .guests = {full_guest(1, 1, Outcome::pending)},
                         .entries = {full_entry(1)}});
    store.write(StoreSpan{full_span(1, std::nullopt)});
    store.write(StoreRun{.run = full_run(1),
                         .guests = {full_guest(1, 2, Outcome::pending)},
                         .entries = {full_entry(2)}});
    EXPECT_THAT(*history().spans(1), ElementsAre(full_span(1, std::nullopt)));
    EXPECT_THAT(*reader->guests(1), ElementsAre(full_guest(1, 1, Outcome::pending),
                                                full_guest(1, 2, Outcome::pending)));
    EXPECT_THAT(*reader->resume_list(), ElementsAre(full_entry(1), full_entry(2)));
    EXPECT_EQ(reader->runs(10)->size(), 1U);
}

TEST_F(Records, LaterWritesReplaceEarlierOnes) {
    store.write(StoreRun{.run = full_run(1), .guests = {full_guest(1, 1, Outcome::pending)}});
    store.write(StoreGuest{full_guest(1, 1, Outcome::shut_down)});
    store.write(StoreSpan{full_span(1, std::nullopt)});
    store.write(StoreSpan{full_span(1, at(10))});
    auto changed = full_entry(1);
    store.write(StoreEntries{.entries = {changed}});
    changed.last_error = "no such image";
    changed.was_paused = false;
    store.write(StoreEntries{.entries = {changed}});
    auto ended = full_run(1);
    ended.state = RunState::finished;
    ended.ended = at(99);
    ended.clean = true;
    store.write(StoreRunEnd{.run = ended});
    EXPECT_THAT(*history().runs(10), ElementsAre(ended));
    EXPECT_THAT(*reader->guests(1), ElementsAre(full_guest(1, 1, Outcome::shut_down)));
    EXPECT_THAT(*reader->spans(1), ElementsAre(full_span(1, at(10))));
    EXPECT_THAT(*reader->resume_list(), ElementsAre(changed));
    EXPECT_FALSE(reopen(dir).unfinished);
}

TEST_F(Records, TheEndOfARunKeepsTheDateOfItsStart) {
    store.write(StoreRun{.run = full_run(1)});
    auto ended = full_run(1);
    ended.state = RunState::finished;
    ended.started_wall = WallTime{};
    store.write(StoreRunEnd{.run = ended});
    ended.started_wall = full_run(1).started_wall;
    EXPECT_THAT(*history().runs(10), ElementsAre(ended));
}

TEST_F(Records, DroppingTakesOneEntryOfOneUri) {
    auto elsewhere = full_entry(1);
    elsewhere.uri = "lxc:///system";
    store.write(StoreEntries{.entries = {full_entry(1), elsewhere, full_entry(2)}});
    store.write(DropEntry{full_entry(1).uri, uuid(1)});
    EXPECT_THAT(*history().resume_list(), ElementsAre(elsewhere, full_entry(2)));
}

TEST_F(Records, ConfigurationAndLearnedNumbers) {
    store.write_config("old");
    store.write_config(kHostile);
    EXPECT_EQ(store.last_good_config(), kHostile);
    store.write(StoreLearned{"save/qemu:///system", 1.0});
    store.write(StoreLearned{"save/qemu:///system", 117.25});
    store.write(StoreLearned{kHostile, -0.5});
    const std::map<std::string, double> expected{{"save/qemu:///system", 117.25}, {kHostile, -0.5}};
    EXPECT_EQ(*history().learned(), expected);
    Answers again;
    EXPECT_EQ(open_store(dir, again).store->last_good_config(), kHostile);
}

TEST_F(Records, UnfinishedIsTheNewestActiveRunOfAnyBoot) {
    auto older = full_run(1);
    auto newer = full_run(2);
    auto finished = full_run(3);
    newer.boot_id = "boot-0";
    finished.state = RunState::finished;
    store.write(StoreRun{.run = older, .guests = {full_guest(1, 1, Outcome::pending)}});
    store.write(StoreRun{.run = newer, .guests = {full_guest(2, 2, Outcome::pending)}});
    store.write(StoreRun{.run = finished});
    history();
    const Restored restored = reopen(dir);
    EXPECT_EQ(restored.unfinished, newer);
    EXPECT_THAT(restored.unfinished_guests, ElementsAre(full_guest(2, 2, Outcome::pending)));
    EXPECT_EQ(restored.last_run, 3U);
}

TEST_F(Records, RunNumbersGoOnAfterTheEntriesOfForgottenRuns) {
    store.write(StoreEntries{.entries = {full_entry(1)}});
    history();
    EXPECT_EQ(reopen(dir).last_run, full_entry(1).run);
}

struct BootCase {
    RunKind kind;
    Trigger trigger;
    const char* boot_id;
    bool done;
};
class BootRunDone : public Records, public ::testing::WithParamInterface<BootCase> {};

TEST_P(BootRunDone, IsToldByTheRunsOfThisBoot) {
    auto run = full_run(1);
    run.kind = GetParam().kind;
    run.trigger = GetParam().trigger;
    run.boot_id = GetParam().boot_id;
    run.state = RunState::finished;
    store.write(StoreRun{.run = run});
    history();
    EXPECT_EQ(reopen(dir).boot_run_done, GetParam().done);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, BootRunDone,
    ::testing::Values(BootCase{RunKind::boot, Trigger::host_boot, "boot-1", true},
                      BootCase{RunKind::boot, Trigger::host_boot, "boot-0", false},
                      BootCase{RunKind::boot, Trigger::manual, "boot-1", false},
                      BootCase{RunKind::drain, Trigger::host_boot, "boot-1", false}));

class DrainBeforeBoot : public Records,
                        public ::testing::WithParamInterface<std::pair<Trigger, bool>> {};

TEST_P(DrainBeforeBoot, AsksForAnotherBootRunWhenTheHostWentDown) {
    auto boot = full_run(1);
    boot.kind = RunKind::boot;
    boot.trigger = Trigger::host_boot;
    auto drain = full_run(2);
    drain.trigger = GetParam().first;
    auto again = full_run(3);
    again.kind = RunKind::boot;
    again.trigger = Trigger::host_boot;
    store.write(StoreRun{.run = boot});
    store.write(StoreRun{.run = drain});
    history();
    EXPECT_EQ(reopen(dir).boot_run_done, !GetParam().second);
    Answers more;
    open_store(dir, more).store->write(StoreRun{.run = again});
    EXPECT_TRUE(reopen(dir).boot_run_done);
}
INSTANTIATE_TEST_SUITE_P(
    Triggers, DrainBeforeBoot,
    ::testing::Values(std::pair{Trigger::soft_reboot, true}, std::pair{Trigger::reboot, true},
                      std::pair{Trigger::poweroff, true}, std::pair{Trigger::kexec, true},
                      std::pair{Trigger::manual, false}, std::pair{Trigger::maintenance, false}));

TEST_F(Records, HistoryIsBoundedAndIntentIsNot) {
    constexpr RunId kRuns = 205;
    store.write(StoreRun{.run = full_run(1)});  // still active
    for (RunId id = 2; id <= kRuns; ++id) {
        auto run = full_run(id);
        run.state = RunState::finished;
        store.write(StoreRun{.run = run,
                             .guests = {full_guest(id, 1, Outcome::saved)},
                             .entries = {full_entry(id)}});
        store.write(StoreSpan{full_span(id, std::nullopt)});
    }
    const auto runs = *history().runs(1000);
    EXPECT_EQ(runs.size(), 201U);
    EXPECT_EQ(runs.front().id, kRuns);
    EXPECT_EQ(runs.back().id, 1U);
    EXPECT_THAT(*reader->guests(5), IsEmpty());
    EXPECT_THAT(*reader->spans(5), IsEmpty());
    EXPECT_EQ(reader->guests(6)->size(), 1U);
    EXPECT_EQ(reader->resume_list()->size(), kRuns - 1U);
}

TEST(History, WithoutStateIsUnavailable) {
    const TempDir dir;
    const auto history = History::open(dir.state());
    ASSERT_FALSE(history.has_value());
    EXPECT_EQ(history.error().code(), ErrorCode::unavailable);
}

TEST(History, ReadsBesideARunningStore) {
    const TempDir dir;
    Answers answers;
    const auto opened = open_store(dir, answers);
    const auto history = std::move(*History::open(dir.state()));
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(1)}});
    answers.of(1);
    EXPECT_THAT(*history->resume_list(), ElementsAre(entry(1)));
}

}  // namespace
}  // namespace guestd::store::testing
