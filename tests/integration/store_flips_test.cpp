// SPDX-License-Identifier: LGPL-2.1-or-later
// One bit of the rows that bring guests back is wrong, as by bad memory or a bad disk: every guest
// comes back all the same, and whatever is not as it was written is said.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include "store_support.hpp"

namespace guestd::store::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::size_t kPage = 4096;
constexpr unsigned kGuests = 3;

ResumeEntry guest(unsigned number) {
    ResumeEntry made = entry(number, "guest-" + std::to_string(number));
    made.was_paused = number == 1;
    made.expect_restore = true;
    made.disk_identity = "disks";
    return made;
}

/// An active drain with its list.
void write_state(const TempDir& dir) {
    Answers answers;
    const auto opened = open_store(dir, answers);
    StoreRun command{.id = 1, .run = drain_run(1)};
    for (unsigned number = 0; number < kGuests; ++number)
        command.entries.push_back(guest(number));
    opened.store->write(command);
    EXPECT_TRUE(answers.of(1).durable);
}

/// Where the rows of this table and its indexes are. Each has one page, as there are few.
std::vector<std::size_t> pages_of(const TempDir& dir, const std::string& table) {
    std::vector<std::size_t> pages;
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(dir.db().c_str(), &db), SQLITE_OK);
    const auto take = [](void* into, int, char** values, char**) {
        static_cast<std::vector<std::size_t>*>(into)->push_back(std::stoul(values[0]) - 1);
        return 0;
    };
    const std::string sql = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = '" + table + "'";
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), take, &pages, nullptr), SQLITE_OK);
    sqlite3_close(db);
    return pages;
}

/// The bytes of a page that mean something: what begins it, and its cells, which end it.
std::vector<std::size_t> used_bytes(const std::string& file, std::size_t page) {
    const auto byte = [&](std::size_t at) {
        return std::size_t{static_cast<unsigned char>(file[page * kPage + at])};
    };
    const std::size_t head = 8 + 2 * (byte(3) * 256 + byte(4));
    std::vector<std::size_t> used;
    for (std::size_t at = 0; at < kPage; ++at)
        if (at < head || at >= byte(5) * 256 + byte(6))
            used.push_back(page * kPage + at);
    return used;
}

/// A file with one bit changed, and what guestd makes of it.
class Flipped : public ::testing::Test {
protected:
    void open_with(const std::string& bytes) {
        fs::remove_all(dir_.state());
        fs::create_directories(dir_.state());
        spit(dir_.db(), bytes);
        Answers answers;
        auto opened = open_store(dir_, answers);
        remarks_ = joined(opened.remarks);
        restored_ = std::move(opened.restored);
    }
    /// In memory: thousands of files would each wait for the disk.
    TempDir dir_{"/dev/shm"};
    std::string remarks_;
    Restored restored_;
};

std::vector<ResumeEntry> all_guests() {
    return {guest(0), guest(1), guest(2)};
}

class FlippedRows : public Flipped, public ::testing::WithParamInterface<const char*> {};

TEST_P(FlippedRows, EveryGuestComesBackOrItIsSaid) {
    write_state(dir_);
    const std::string whole = slurp(dir_.db());
    open_with(whole);
    ASSERT_EQ(remarks_, "");
    ASSERT_EQ(restored_.resume_list, all_guests());
    ASSERT_EQ(restored_.unfinished, drain_run(1));
    const auto pages = pages_of(dir_, GetParam());
    ASSERT_GE(pages.size(), 2U) << "a table and a copy";
    for (const auto page : pages) {
        for (const auto at : used_bytes(whole, page)) {
            std::string bytes = whole;
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
            open_with(bytes);
            const std::string where = "byte " + std::to_string(at) + ": " + remarks_;
            for (const auto& wanted : all_guests())
                ASSERT_THAT(
                    restored_.resume_list,
                    Contains(::testing::AllOf(::testing::Field(&ResumeEntry::uri, wanted.uri),
                                              ::testing::Field(&ResumeEntry::uuid, wanted.uuid),
                                              ::testing::Field(&ResumeEntry::transient, false))))
                    << where;
            const bool as_written =
                restored_.resume_list == all_guests() && restored_.unfinished == drain_run(1);
            ASSERT_TRUE(as_written || remarks_.find("set aside") != std::string::npos) << where;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Tables, FlippedRows, ::testing::Values("resume", "run"),
                         [](const auto& param) { return std::string{param.param}; });

/// As an editor of bits would: the row is well formed, and of another guest.
TEST_F(Flipped, AnotherUuidIsNoticed) {
    write_state(dir_);
    std::string bytes = slurp(dir_.db());
    const auto page = pages_of(dir_, "resume").front() * kPage;
    const auto at = bytes.find(uuid(1).str(), page);
    ASSERT_LT(at, page + kPage);
    bytes[at] = '7';
    open_with(bytes);
    EXPECT_THAT(remarks_, HasSubstr("missing from index"));
    EXPECT_THAT(restored_.resume_list, SizeIs(kGuests + 1));
    EXPECT_EQ(restored_.resume_list.back(), guest(1));
}

TEST_F(Flipped, AFileOfTheFirstSchemaGetsItsCopies) {
    write_state(dir_);
    run_sql(dir_.db(), "DROP INDEX resume_copy; DROP INDEX run_copy; PRAGMA user_version = 1");
    open_with(slurp(dir_.db()));
    EXPECT_EQ(remarks_, "");
    EXPECT_EQ(restored_.resume_list, all_guests());
    EXPECT_THAT(pages_of(dir_, "resume"), SizeIs(3));
    EXPECT_THAT(pages_of(dir_, "run"), SizeIs(2));
}

}  // namespace
}  // namespace guestd::store::testing
