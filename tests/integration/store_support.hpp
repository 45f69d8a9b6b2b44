// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// For the tests of the store: a folder that goes away, someone who waits for `Stored`, and
/// records.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "store/history.hpp"
#include "store/store.hpp"

namespace guestd::store::testing {

namespace fs = std::filesystem;

class TempDir {
public:
    explicit TempDir(const fs::path& parent = fs::temp_directory_path()) {
        std::string name = (parent / "guestd-store-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TempDir() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const fs::path& path() const { return path_; }
    fs::path state() const { return path_ / "state"; }
    fs::path db() const { return state() / "state.db"; }

private:
    fs::path path_;
};

/// Collects what the store answers.
class Answers {
public:
    EventSink sink() {
        return [this](Event event) {
            const std::lock_guard lock{mutex_};
            seen_.push_back(std::get<Stored>(event));
            changed_.notify_all();
        };
    }
    /// Blocks until this write is answered.
    Stored of(StoreId id) {
        std::unique_lock lock{mutex_};
        const Stored* found = nullptr;
        changed_.wait(lock, [&] {
            for (const auto& stored : seen_)
                if (stored.id == id)
                    found = &stored;
            return found != nullptr;
        });
        return *found;
    }
    std::vector<StoreId> order() {
        const std::lock_guard lock{mutex_};
        std::vector<StoreId> ids;
        for (const auto& stored : seen_)
            ids.push_back(stored.id);
        return ids;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Stored> seen_;
};

inline Opened open_store(const TempDir& dir, Answers& answers, const std::string& boot = "boot-1") {
    auto opened = Store::open(dir.state(), boot, answers.sink());
    EXPECT_TRUE(opened.has_value());
    return std::move(*opened);
}

inline Restored reopen(const TempDir& dir, const std::string& boot = "boot-1") {
    Answers answers;
    return open_store(dir, answers, boot).restored;
}

inline std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

/// Files of the state folder whose name begins so, without SQLite's own -wal and -shm.
inline std::vector<fs::path> files(const TempDir& dir, const std::string& prefix) {
    std::vector<fs::path> found;
    for (const auto& file : fs::directory_iterator{dir.state()}) {
        const auto name = file.path().filename().string();
        if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm"))
            found.push_back(file.path());
    }
    return found;
}

inline std::string slurp(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

inline void spit(const fs::path& file, const std::string& bytes) {
    std::ofstream{file, std::ios::binary | std::ios::trunc} << bytes;
}

inline void run_sql(const fs::path& file, const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
}

inline Uuid uuid(unsigned number) {
    Uuid::Raw raw{};
    for (std::size_t byte = 0; byte < sizeof number; ++byte)
        raw[byte] = static_cast<std::uint8_t>(number >> (8 * byte));
    return Uuid{raw};
}

inline TimePoint at(std::int64_t usec) {
    return TimePoint{Duration{usec}};
}

inline ResumeEntry entry(unsigned number, const std::string& name = "guest") {
    return {.uri = "qemu:///system", .uuid = uuid(number), .name = name, .run = 1};
}

inline RunRecord drain_run(RunId id) {
    return {.id = id, .kind = RunKind::drain, .trigger = Trigger::reboot, .boot_id = "boot-1"};
}

}  // namespace guestd::store::testing
