// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SQLite's write-ahead log: a flipped bit in it drops all that follows, so nothing stays there for
// long, and what is dropped is said.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstdlib>

#include "store_support.hpp"

namespace guestd::store::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kLogHead = 32;
constexpr std::size_t kFrameHead = 24;

fs::path log_of(const TempDir& dir) {
    return dir.db().string() + "-wal";
}

std::vector<ResumeEntry> all_guests() {
    return {entry(0), entry(1), entry(2)};
}

/// Somebody who reads, and keeps what he reads as it was.
class Reader {
public:
    explicit Reader(const TempDir& dir) {
        EXPECT_EQ(sqlite3_open(dir.db().c_str(), &db_), SQLITE_OK);
        EXPECT_EQ(
            sqlite3_exec(db_, "BEGIN; SELECT count(*) FROM resume", nullptr, nullptr, nullptr),
            SQLITE_OK);
    }
    ~Reader() { sqlite3_close(db_); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    void end() { EXPECT_EQ(sqlite3_exec(db_, "END", nullptr, nullptr, nullptr), SQLITE_OK); }

private:
    sqlite3* db_ = nullptr;
};

StoreRun drain_of_all(StoreId id) {
    return {.id = id, .run = drain_run(1), .entries = all_guests()};
}

TEST(StoreLog, IsEmptiedWhenARunHasEnded) {
    const TempDir dir;
    reopen(dir);
    Answers answers;
    const auto opened = open_store(dir, answers);
    const int watch = ::inotify_init1(IN_CLOEXEC);
    ASSERT_GE(::inotify_add_watch(watch, log_of(dir).c_str(), IN_MODIFY), 0);
    opened.store->write(drain_of_all(1));
    opened.store->write(StoreRunEnd{.id = 2, .run = drain_run(1)});
    ASSERT_TRUE(answers.of(2).durable);
    // Each change of the log wakes us; a log that is never emptied ends this after half a minute.
    pollfd fd{.fd = watch, .events = POLLIN, .revents = 0};
    while (fs::file_size(log_of(dir)) > 0 && ::poll(&fd, 1, 30'000) > 0) {
        char events[4096];
        ASSERT_GT(::read(watch, events, sizeof events), 0);
    }
    ::close(watch);
    EXPECT_EQ(fs::file_size(log_of(dir)), 0U);
}

TEST(StoreLog, IsEmptiedAtTheEndAlsoWhileSomebodyHasTheFileOpen) {
    const TempDir dir;
    reopen(dir);
    Reader other{dir};
    other.end();
    {
        Answers answers;
        const auto opened = open_store(dir, answers);
        opened.store->write(drain_of_all(1));
        ASSERT_TRUE(answers.of(1).durable);
    }
    EXPECT_EQ(fs::file_size(log_of(dir)), 0U);
}

/// What a SIGKILL leaves: the file as it was, and the log.
struct Killed {
    /// Right after the list was stored.
    Killed() {
        const TempDir dir{"/dev/shm"};
        reopen(dir);
        const Reader keeps_the_log{dir};
        Answers answers;
        const auto opened = open_store(dir, answers);
        opened.store->write(drain_of_all(1));
        EXPECT_TRUE(answers.of(1).durable);
        *this = Killed{dir};
    }
    /// Now.
    explicit Killed(const TempDir& dir) : file(slurp(dir.db())), log(slurp(log_of(dir))) {}
    std::string file;
    std::string log;
};

void leave(const TempDir& dir, const Killed& killed, const std::string& log) {
    fs::remove_all(dir.state());
    fs::create_directories(dir.state());
    spit(dir.db(), killed.file);
    spit(log_of(dir), log);
}

struct Found {
    std::vector<ResumeEntry> list;
    std::optional<RunRecord> run;
    std::vector<std::string> remarks;
};

/// What guestd makes of it, in memory: thousands of files would each wait for the disk.
Found open_with(const TempDir& dir, const Killed& killed, const std::string& log) {
    leave(dir, killed, log);
    Answers answers;
    auto opened = open_store(dir, answers);
    return {opened.restored.resume_list, opened.restored.unfinished, opened.remarks};
}

TEST(StoreLog, LosesNothingWithoutAWord) {
    const Killed killed;
    const TempDir dir{"/dev/shm"};
    const Found whole = open_with(dir, killed, killed.log);
    ASSERT_EQ(whole.list, all_guests());
    ASSERT_THAT(whole.remarks, IsEmpty());
    // Each byte of heads, and few of the pages; all of them take a minute, by hand.
    const std::size_t step = std::getenv("GUESTD_EVERY_BYTE") != nullptr ? 1 : 97;
    unsigned flips = 0;
    unsigned lost = 0;
    for (std::size_t at = 0; at < killed.log.size(); ++at) {
        const bool head = at < kLogHead || (at - kLogHead) % (kFrameHead + kPage) < kFrameHead;
        if (!head && at % step != 0)
            continue;
        std::string log = killed.log;
        log[at] = static_cast<char>(log[at] ^ (1 << (at % 8)));
        const Found found = open_with(dir, killed, log);
        ASSERT_THAT(found.remarks, ElementsAre(HasSubstr("state.db-wal was damaged"))) << at;
        ++flips;
        lost += found.list == all_guests() && found.run == drain_run(1) ? 0 : 1;
    }
    RecordProperty("flips", std::to_string(flips));
    RecordProperty("lost", std::to_string(lost));
    EXPECT_GT(lost, 0U) << "else all this is for nothing";
}

TEST(StoreLog, IsKeptWhenItIsDamaged) {
    const Killed killed;
    const TempDir dir;
    std::string log = killed.log;
    log[kLogHead + kFrameHead] ^= 1;
    const Found found = open_with(dir, killed, log);
    const auto kept = files(dir, "state.db-wal.damaged-");
    ASSERT_EQ(kept.size(), 1U);
    EXPECT_EQ(slurp(kept[0]), log);
    EXPECT_THAT(joined(found.remarks), HasSubstr(kept[0].filename().string()));
}

TEST(StoreLog, WhoseHeadIsGoneIsDamaged) {
    const Killed killed;
    const TempDir dir{"/dev/shm"};
    std::string log = killed.log;
    log.replace(0, 512, std::string(512, '\0'));
    EXPECT_THAT(open_with(dir, killed, log).remarks, ElementsAre(HasSubstr("was damaged")));
}

TEST(StoreLog, IsEmptiedAtTheStartAfterAKill) {
    const Killed killed;
    const TempDir dir{"/dev/shm"};
    leave(dir, killed, killed.log);
    Answers answers;
    const auto opened = open_store(dir, answers);
    EXPECT_LT(fs::file_size(log_of(dir)), killed.log.size());
}

/// SQLite begins a log anew by writing over the old one, which may be longer.
TEST(StoreLog, ThatAKilledGuestdBeganAnewIsNotDamaged) {
    const Killed killed;
    const TempDir dir{"/dev/shm"};
    const Killed anew = [&] {
        leave(dir, killed, killed.log);
        Answers answers;
        const auto opened = open_store(dir, answers);
        return Killed{dir};
    }();
    ASSERT_GT(anew.log.size(), kLogHead);
    ASSERT_LT(anew.log.size(), killed.log.size());
    for (std::size_t at = kLogHead; at <= anew.log.size(); at += kFrameHead + kPage) {
        const Found found = open_with(dir, anew, anew.log.substr(0, at) + killed.log.substr(at));
        EXPECT_EQ(found.list, all_guests());
        EXPECT_THAT(found.remarks, IsEmpty()) << at;
    }
}

TEST(StoreLog, ThatAKilledGuestdWasWritingIsNotDamaged) {
    const Killed killed;
    const TempDir dir{"/dev/shm"};
    // Every place at which a write ends, and some in the middle of one.
    for (std::size_t at = kLogHead; at < killed.log.size(); at += kFrameHead + kPage)
        for (const std::size_t more : {0U, 11U, 24U, 2000U}) {
            const Found found = open_with(dir, killed, killed.log.substr(0, at + more));
            EXPECT_THAT(found.remarks, IsEmpty()) << at + more;
        }
}

}  // namespace
}  // namespace guestd::store::testing
