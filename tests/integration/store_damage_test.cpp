// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever the file is, guestd starts, says so, and loses nothing that could be read.
#include <gmock/gmock.h>

#include <random>

#include "store/opening.hpp"
#include "store_support.hpp"

namespace guestd::store::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr unsigned kGuests = 200;
const fs::path kFound = fs::path{__FILE__}.parent_path() / "../fuzz/corpus/state";

/// A state with a good many pages, closed.
void fill(const TempDir& dir) {
    Answers answers;
    const auto opened = open_store(dir, answers);
    StoreRun command{.id = 1, .run = drain_run(4)};
    StoreRun older{.run = drain_run(3)};
    older.run.state = RunState::finished;
    for (unsigned number = 0; number < kGuests; ++number) {
        older.guests.push_back({.run = 3, .uri = "old", .uuid = uuid(number), .name = "n"});
        command.entries.push_back(entry(number, "guest-" + std::to_string(number)));
        command.guests.push_back({.run = 4, .uri = "u", .uuid = uuid(number), .name = "n"});
    }
    opened.store->write(older);
    opened.store->write(command);
    opened.store->write_config("[daemon]");
    ASSERT_TRUE(answers.of(1).durable);
}

void expect_works(const TempDir& dir, const Opened& opened, Answers& answers) {
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(999)}});
    const Stored stored = answers.of(1);
    EXPECT_TRUE(stored.durable) << stored.message;
    const auto list = *(*History::open(dir.state()))->resume_list();
    EXPECT_EQ(list.back(), entry(999));
}

struct Damage {
    const char* name;
    std::function<void(const fs::path&)> harm;
    std::size_t survivors;  ///< of the resume list, at least
};

void PrintTo(const Damage& damage, std::ostream* out) {
    *out << damage.name;
}
class Damaged : public ::testing::TestWithParam<Damage> {};

TEST_P(Damaged, IsSetAsideAndTold) {
    const TempDir dir;
    fill(dir);
    GetParam().harm(dir.db());
    const std::string harmed = slurp(dir.db());
    Answers answers;
    const auto opened = open_store(dir, answers);
    ASSERT_THAT(opened.remarks, SizeIs(1)) << joined(opened.remarks);
    EXPECT_THAT(opened.remarks[0], HasSubstr("damaged"));
    const auto aside = files(dir, "state.db.damaged-20");
    ASSERT_THAT(aside, SizeIs(1));
    EXPECT_EQ(slurp(aside[0]), harmed);
    EXPECT_THAT(opened.remarks[0], HasSubstr(aside[0].filename().string()));
    EXPECT_GE(opened.restored.resume_list.size(), GetParam().survivors);
    expect_works(dir, opened, answers);
}

std::string find_and_ruin(std::string bytes, const std::string& word) {
    const auto found = bytes.find(word);
    EXPECT_NE(found, std::string::npos);
    const std::size_t page = found / 4096 * 4096;
    return bytes.replace(page, 4096, 4096, '\xa5');
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Damaged,
    ::testing::Values(
        Damage{"empty", [](const fs::path& file) { fs::resize_file(file, 0); }, 0},
        Damage{"half", [](const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); },
               0},
        // As a copy that broke off leaves it: SQLite itself would read nothing of it.
        Damage{"last_page_cut_off",
               [](const fs::path& file) { fs::resize_file(file, fs::file_size(file) - 4096); }, 50},
        Damage{"garbage", [](const fs::path& file) { spit(file, std::string(5000, 'x')); }, 0},
        Damage{"bad_header",
               [](const fs::path& file) { spit(file, "SQLite" + slurp(file).substr(7)); }, 0},
        Damage{"page_of_the_active_run_ruined",
               [](const fs::path& file) {
                   spit(file, find_and_ruin(slurp(file), "u" + uuid(100).str() + "npending"));
               },
               kGuests},
        Damage{"page_ruined_that_no_start_reads",
               [](const fs::path& file) {
                   spit(file, find_and_ruin(slurp(file), "old" + uuid(100).str() + "npending"));
               },
               kGuests},
        Damage{"resume_page_ruined",
               [](const fs::path& file) { spit(file, find_and_ruin(slurp(file), "guest-150")); },
               50},
        Damage{"taken_for_lack_of_memory",
               [](const fs::path& file) { spit(file, slurp(kFound / "taken-for-lack-of-memory")); },
               0},
        Damage{"foreign_table",
               [](const fs::path& file) { run_sql(file, "ALTER TABLE run RENAME TO other"); },
               kGuests}),
    [](const auto& param) { return std::string{param.param.name}; });

TEST(DamagedState, KeepsRunsAndConfigurationThatCanBeRead) {
    const TempDir dir;
    fill(dir);
    spit(dir.db(), find_and_ruin(slurp(dir.db()), "u" + uuid(100).str() + "npending"));
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_EQ(opened.restored.unfinished, drain_run(4));
    EXPECT_EQ(opened.restored.last_run, 4U);
    EXPECT_EQ(opened.store->last_good_config(), "[daemon]");
}

TEST(DamagedState, LackOfMemoryIsNoDamage) {
    const TempDir dir;
    fill(dir);
    constexpr sqlite3_int64 kTooLittle = 64 * 1024;
    sqlite3_hard_heap_limit64(kTooLittle);
    const auto opening = open_state(dir.state(), "boot");
    sqlite3_hard_heap_limit64(0);
    EXPECT_THAT(opening.why_not, HasSubstr("memory"));
    EXPECT_THAT(files(dir, "state.db.damaged-"), IsEmpty());
    Answers answers;
    EXPECT_THAT(open_store(dir, answers).restored.resume_list, SizeIs(kGuests));
}

TEST(DamagedState, SecondOneTakesAnotherName) {
    const TempDir dir;
    for (int round = 0; round < 3; ++round) {
        fs::create_directories(dir.state());
        spit(dir.db(), "garbage");
        reopen(dir);
    }
    EXPECT_THAT(files(dir, "state.db.damaged-"), SizeIs(3));
}

TEST(DamagedState, NewerSchemaIsSetAsideWithItsEntriesTakenOver) {
    const TempDir dir;
    fill(dir);
    run_sql(dir.db(), "PRAGMA user_version = 1000");
    Answers answers;
    const auto opened = open_store(dir, answers);
    ASSERT_THAT(opened.remarks, SizeIs(1));
    EXPECT_THAT(opened.remarks[0], HasSubstr("schema version 1000"));
    EXPECT_THAT(files(dir, "state.db.newer-20"), SizeIs(1));
    EXPECT_THAT(opened.restored.resume_list, SizeIs(kGuests));
    expect_works(dir, opened, answers);
}

TEST(DamagedState, RowsWithoutSenseAreLeftOutAndCounted) {
    const TempDir dir;
    fill(dir);
    run_sql(dir.db(),
            "UPDATE resume SET uuid = 'x' WHERE id = 1;"
            "UPDATE resume SET uri = '' WHERE id = 2;"
            "UPDATE run_guest SET outcome = 'eaten' WHERE run = 4 AND id % 200 = 1;");
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_THAT(opened.remarks, ElementsAre(HasSubstr("3 rows")));
    EXPECT_THAT(opened.restored.resume_list, SizeIs(kGuests - 2));
    EXPECT_THAT(opened.restored.unfinished_guests, SizeIs(kGuests - 1));
}

TEST(DamagedState, RandomBitFlipsNeverStopGuestd) {
    std::mt19937 random{20261121};  // NOLINT: the same flips every time
    const TempDir dir;
    fill(dir);
    const std::string whole = slurp(dir.db());
    for (int round = 0; round < 25; ++round) {
        std::string bytes = whole;
        for (int flip = 0; flip < 8; ++flip)
            bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
        fs::remove_all(dir.state());
        fs::create_directories(dir.state());
        spit(dir.db(), bytes);
        Answers answers;
        const auto opened = open_store(dir, answers);
        EXPECT_EQ(
            files(dir, "state.db.damaged-").empty(),
            opened.remarks.empty() || opened.remarks[0].find("make no sense") != std::string::npos)
            << joined(opened.remarks);
        expect_works(dir, opened, answers);
    }
}

}  // namespace
}  // namespace guestd::store::testing
