// SPDX-License-Identifier: LGPL-2.1-or-later
// What is answered is on the disk; what is on the disk is a prefix of what was written; what cannot
// be written is said to be so, and tried again.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "store_support.hpp"

namespace guestd::store::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Another program that holds the write lock, so that writes queue up behind it.
class LockHolder {
public:
    explicit LockHolder(const fs::path& file) {
        sqlite3_open(file.c_str(), &db_);
        EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    }
    ~LockHolder() {
        sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
        sqlite3_close(db_);
    }
    LockHolder(const LockHolder&) = delete;
    LockHolder& operator=(const LockHolder&) = delete;

private:
    sqlite3* db_ = nullptr;
};

/// Commits in SQLite's write-ahead log: frames whose header tells a database size.
unsigned commits(const fs::path& db) {
    constexpr std::size_t kHeader = 32;
    constexpr std::size_t kFrame = 24 + 4096;
    const std::string log = slurp(db.string() + "-wal");
    unsigned count = 0;
    for (std::size_t frame = kHeader; frame + kFrame <= log.size(); frame += kFrame)
        count += log.substr(frame + 4, 4) != std::string(4, '\0') ? 1 : 0;
    return count;
}

TEST(Durability, QueuedWritesShareATransactionAndKeepTheirOrder) {
    constexpr StoreId kWrites = 500;
    const TempDir dir;
    Answers answers;
    const auto opened = open_store(dir, answers);
    const unsigned before = commits(dir.db());
    {
        const LockHolder lock{dir.db()};
        for (StoreId id = 1; id <= kWrites; ++id)
            opened.store->write(
                StoreEntries{.id = id, .entries = {entry(1, "take " + std::to_string(id))}});
        EXPECT_THAT(answers.order(), IsEmpty());  // nothing is told before it is durable
    }
    EXPECT_TRUE(answers.of(kWrites).durable);
    // One for the write that the thread may have taken alone, one for all others.
    EXPECT_LE(commits(dir.db()) - before, 2U);
    const auto order = answers.order();
    EXPECT_THAT(order, SizeIs(kWrites));
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_THAT(*(*History::open(dir.state()))->resume_list(),
                ElementsAre(entry(1, "take " + std::to_string(kWrites))));
}

TEST(Durability, DestructorWritesWhatIsQueued) {
    const TempDir dir;
    Answers answers;
    auto opened = open_store(dir, answers);
    for (unsigned number = 0; number < 50; ++number)
        opened.store->write(StoreEntries{.entries = {entry(number)}});
    opened.store.reset();
    EXPECT_THAT(reopen(dir).resume_list, SizeIs(50));
}

TEST(Durability, ImpossibleCommandFailsAlone) {
    const TempDir dir;
    Answers answers;
    const auto opened = open_store(dir, answers);
    {
        const LockHolder lock{dir.db()};  // all in one transaction
        opened.store->write(StoreEntries{.id = 1, .entries = {entry(1)}});
        StoreRun orphan{.id = 2, .run = drain_run(1)};
        orphan.guests = {RunGuestRecord{.run = 77, .uri = "u", .uuid = uuid(1)}};  // no such run
        orphan.entries = {entry(2)};
        opened.store->write(orphan);
        opened.store->write(StoreEntries{.id = 3, .entries = {entry(3)}});
    }
    EXPECT_TRUE(answers.of(1).durable);
    EXPECT_FALSE(answers.of(2).durable);
    EXPECT_THAT(answers.of(2).message, HasSubstr("FOREIGN KEY"));
    EXPECT_TRUE(answers.of(3).durable);
    EXPECT_THAT(*(*History::open(dir.state()))->resume_list(), ElementsAre(entry(1), entry(3)));
}

TEST(Durability, HistoryIsWrittenThoughNobodyWaitsForItAndFailsAlone) {
    const TempDir dir;
    Answers answers;
    const auto opened = open_store(dir, answers);
    opened.store->write(StoreRun{.id = 1, .run = drain_run(1)});
    ASSERT_TRUE(answers.of(1).durable);
    for (const RunId run : {1U, 77U, 1U})  // there is no run 77
        opened.store->write(StoreSpan{
            .span = {.run = run, .uri = "u", .uuid = uuid(1), .what = "save", .begin = at(run)}});
    opened.store->write(
        StoreSpan{.span = {.run = 1, .uri = "u", .uuid = uuid(2), .what = "save", .begin = at(1)}});
    const auto history = std::move(*History::open(dir.state()));
    while (history->spans(1)->size() < 2)
        std::this_thread::yield();
    EXPECT_THAT(*history->spans(1), SizeIs(2));
}

constexpr int kReportFd = 3;
constexpr unsigned kQueued = 1024;
constexpr const char* kVictimDir = "GUESTD_TEST_VICTIM_DIR";

/// What the victim does: writes entries 1, 2, 3, … for ever, and each number that is durable to
/// kReportFd. A program of its own, because a program with threads cannot be forked safely.
TEST(Victim, DISABLED_WritesForEver) {
    const char* dir = std::getenv(kVictimDir);
    ASSERT_NE(dir, nullptr) << "run by Durability.WhatWasAnsweredSurvivesSigkill only";
    std::atomic<unsigned> answered = 0;
    const auto opened = Store::open(dir, "boot-1", [&answered](Event event) {
        const auto stored = std::get<Stored>(event);
        if (stored.durable && ::write(kReportFd, &stored.id, sizeof stored.id) != sizeof stored.id)
            ::_exit(1);
        ++answered;
        answered.notify_one();
    });
    for (unsigned number = 1;; ++number) {
        opened->store->write(StoreEntries{.id = number, .entries = {entry(number)}});
        // The queue is always full, and does not outgrow the memory.
        for (auto seen = answered.load(); number - seen > kQueued; seen = answered.load())
            answered.wait(seen);
    }
}

pid_t spawn_victim(const TempDir& dir, int report) {
    ::setenv(kVictimDir, dir.state().c_str(), 1);
    const char* arguments[] = {"victim", "--gtest_also_run_disabled_tests",
                               "--gtest_filter=Victim.DISABLED_WritesForEver", nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, report, kReportFd);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    EXPECT_EQ(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr,
                            const_cast<char* const*>(arguments), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

TEST(Durability, WhatWasAnsweredSurvivesSigkill) {
    const TempDir dir;
    Answers answers;
    open_store(dir, answers);
    for (StoreId wanted : {1, 2, 7, 40, 150, 400, 3, 90}) {
        int pipe_ends[2];
        ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
        const pid_t child = spawn_victim(dir, pipe_ends[1]);
        ::close(pipe_ends[1]);
        StoreId last = 0;
        while (last < wanted && ::read(pipe_ends[0], &last, sizeof last) == sizeof last) {
        }
        ::kill(child, SIGKILL);
        while (::read(pipe_ends[0], &last, sizeof last) == sizeof last) {
        }
        ::close(pipe_ends[0]);
        ::waitpid(child, nullptr, 0);
        ASSERT_GE(last, wanted);
        Answers after;
        const auto opened = open_store(dir, after);
        EXPECT_THAT(opened.remarks, IsEmpty()) << joined(opened.remarks);
        std::size_t found = 0;
        for (const auto& kept : opened.restored.resume_list)
            found += kept.uuid == uuid(static_cast<unsigned>(++found)) ? 0 : 100'000;
        EXPECT_GE(opened.restored.resume_list.size(), last);
        EXPECT_EQ(found, opened.restored.resume_list.size());  // a prefix, in order
        for (const auto& kept : opened.restored.resume_list)
            opened.store->write(DropEntry{kept.uri, kept.uuid});
    }
}

/// The thread's own file systems: nowhere a temporary file can be made, and `dir` to write to.
void leave_only(const fs::path& dir) {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    for (const fs::path& place :
         {fs::temp_directory_path(), fs::path{"/tmp"}, fs::path{"/var/tmp"}}) {
        ASSERT_EQ(::mount(place.c_str(), place.c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(
            ::mount(nullptr, place.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
    }
    ASSERT_EQ(::mount("guestd-test", dir.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_EQ(::chdir("/proc"), 0);  // where SQLite tries last
}

// So it is under guestd.service. What SQLite needs to undo a large change is some hundred KiB here.
TEST(Durability, NeedsNoFolderForTemporaryFiles) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "mounting is for root";
    const TempDir dir;
    std::thread{[&dir] {
        ASSERT_NO_FATAL_FAILURE(leave_only(dir.path()));
        Answers answers;
        const auto opened = open_store(dir, answers);
        for (const StoreId id : {1U, 2U}) {
            StoreEntries many{.id = id};
            for (unsigned number = 0; number < 2000; ++number)
                many.entries.push_back(entry(number, "guest " + std::to_string(id)));
            opened.store->write(std::move(many));
            EXPECT_TRUE(answers.of(id).durable) << answers.of(id).message;
        }
    }}.join();
}

/// A tiny file system of its own, as the state folder's parent.
class SmallDisk : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "mounting a tmpfs needs root";
        if (::mount("guestd-test", dir.path().c_str(), "tmpfs", 0, "size=512k") != 0)
            GTEST_SKIP() << "mounting a tmpfs is not allowed here";
        mounted = true;
    }
    void TearDown() override {
        if (mounted)
            ::umount2(dir.path().c_str(), MNT_DETACH);
    }
    void make_read_only(bool yes = true) {
        const unsigned long flags = yes ? MS_REMOUNT | MS_RDONLY : MS_REMOUNT;
        ASSERT_EQ(::mount(nullptr, dir.path().c_str(), nullptr, flags, nullptr), 0)
            << std::strerror(errno);
    }
    void fill_disk() {
        std::ofstream file{dir.path() / "ballast", std::ios::binary};
        while (file.write(std::string(4096, 'x').data(), 4096).flush()) {
        }
    }

    TempDir dir;
    bool mounted = false;
};

TEST_F(SmallDisk, FullDiskIsAnsweredAtOnceAndRetried) {
    Answers answers;
    auto opened = open_store(dir, answers);
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(1), entry(2)}});
    EXPECT_TRUE(answers.of(1).durable);
    fill_disk();
    const std::string large(100'000, 'n');
    opened.store->write(StoreEntries{.id = 2, .entries = {entry(3, large)}});
    opened.store->write(DropEntry{entry(1).uri, uuid(1)});
    opened.store->write(StoreEntries{.id = 3, .entries = {entry(4)}});
    EXPECT_FALSE(answers.of(2).durable);
    EXPECT_THAT(answers.of(2).message, HasSubstr("full"));
    EXPECT_FALSE(answers.of(3).durable);
    // A save that is aborted and cleaned gives the space back.
    fs::remove(dir.path() / "ballast");
    opened.store->write(StoreEntries{.id = 4, .entries = {entry(5)}});
    EXPECT_TRUE(answers.of(4).durable);
    EXPECT_THAT(*(*History::open(dir.state()))->resume_list(),
                ElementsAre(entry(2), entry(3, large), entry(4), entry(5)));
    EXPECT_THAT(answers.order(), ElementsAre(1, 2, 3, 4));
}

TEST_F(SmallDisk, FullDiskAtTheStartIsTold) {
    reopen(dir);
    fill_disk();
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_THAT(opened.remarks, ElementsAre(HasSubstr("No space left")));
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(1)}});
    EXPECT_FALSE(answers.of(1).durable);
    fs::remove(dir.path() / "ballast");
    opened.store->write(StoreEntries{.id = 2, .entries = {entry(2)}});
    EXPECT_TRUE(answers.of(2).durable) << answers.of(2).message;
    EXPECT_THAT(*(*History::open(dir.state()))->resume_list(), ElementsAre(entry(1), entry(2)));
}

TEST_F(SmallDisk, FullDiskAtTheVeryFirstStartHealsToo) {
    fill_disk();
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_THAT(opened.remarks, SizeIs(1)) << joined(opened.remarks);
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(1)}});
    EXPECT_FALSE(answers.of(1).durable);
    fs::remove(dir.path() / "ballast");
    opened.store->write(StoreEntries{.id = 2, .entries = {entry(2)}});
    EXPECT_TRUE(answers.of(2).durable) << answers.of(2).message;
}

TEST_F(SmallDisk, ReadOnlyStateIsReadAndTold) {
    {
        Answers answers;
        const auto opened = open_store(dir, answers);
        opened.store->write(StoreRun{.run = drain_run(3), .entries = {entry(1)}});
        opened.store->write_config("kept");
    }
    make_read_only();
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_THAT(opened.restored.resume_list, ElementsAre(entry(1)));
    EXPECT_EQ(opened.restored.unfinished, drain_run(3));
    EXPECT_EQ(opened.store->last_good_config(), "kept");
    ASSERT_THAT(opened.remarks, SizeIs(1)) << joined(opened.remarks);
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(2)}});
    EXPECT_FALSE(answers.of(1).durable);
    EXPECT_FALSE(answers.of(1).message.empty());
    make_read_only(false);
    opened.store->write(StoreEntries{.id = 2, .entries = {entry(3)}});
    EXPECT_TRUE(answers.of(2).durable) << answers.of(2).message;
    EXPECT_THAT(*(*History::open(dir.state()))->resume_list(),
                ElementsAre(entry(1), entry(2), entry(3)));
}

TEST_F(SmallDisk, ReadOnlyStateOfAKilledGuestdIsRead) {
    {
        Answers answers;
        const auto opened = open_store(dir, answers);
        opened.store->write(StoreRun{.id = 1, .run = drain_run(1), .entries = {entry(1)}});
        answers.of(1);
        // As a kill leaves it: the entry is in the log only.
        for (const char* part : {"", "-wal", "-shm"})
            fs::copy_file(dir.db().string() + part, dir.path() / ("copy" + std::string{part}));
    }
    for (const char* part : {"", "-wal", "-shm"})
        fs::rename(dir.path() / ("copy" + std::string{part}), dir.db().string() + part);
    make_read_only();
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_THAT(opened.restored.resume_list, ElementsAre(entry(1)));
    EXPECT_EQ(opened.restored.unfinished, drain_run(1));
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(2)}});
    EXPECT_FALSE(answers.of(1).durable);
    make_read_only(false);
    opened.store->write(StoreEntries{.id = 2, .entries = {entry(3)}});
    EXPECT_TRUE(answers.of(2).durable) << answers.of(2).message;
}

TEST_F(SmallDisk, MissingFolderThatCannotBeMadeIsTold) {
    make_read_only();
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_THAT(opened.remarks, ElementsAre(HasSubstr("Read-only")));
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(1)}});
    EXPECT_FALSE(answers.of(1).durable);
    EXPECT_THAT(answers.of(1).message, HasSubstr("Read-only"));
}

TEST_F(SmallDisk, DamagedReadOnlyStateIsReadAsFarAsItGoes) {
    {
        Answers answers;
        const auto opened = open_store(dir, answers);
        opened.store->write(StoreEntries{.entries = {entry(1)}});
    }
    sqlite3* db = nullptr;
    sqlite3_open(dir.db().c_str(), &db);
    EXPECT_EQ(sqlite3_exec(db, "DROP TABLE run", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
    make_read_only();
    const std::string before = slurp(dir.db());
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_THAT(opened.remarks, ElementsAre(HasSubstr("nor trusted; 1 resume entries")));
    EXPECT_THAT(opened.restored.resume_list, ElementsAre(entry(1)));
    opened.store->write(StoreEntries{.id = 1, .entries = {entry(2)}});
    EXPECT_FALSE(answers.of(1).durable);
    EXPECT_EQ(slurp(dir.db()), before);
}

}  // namespace
}  // namespace guestd::store::testing
