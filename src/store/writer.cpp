// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/writer.hpp"

#include <algorithm>
#include <chrono>

namespace guestd::store {
namespace {

using namespace std::chrono_literals;

/// How soon to try again what the disk would not take. The place may heal (space freed, a folder
/// made writable); a try costs one failing transaction.
constexpr auto kRetryEvery = 10s;
/// How long that for which nobody waits is gathered before it is written: a drain of 1,000
/// guests makes 3,000 rows in a fifth of a second, and a transaction costs as much as ten of them.
constexpr auto kGather = 100ms;
/// How soon after the last write SQLite's log is emptied, once a run has ended: what the daemon
/// writes then, such as a next run that was waiting, does not come behind it.
constexpr auto kSettleAfter = 1s;
/// A service that stops while the host stays up has 2 s for everything (spec, section 2).
constexpr auto kFinishWithin = 1s;
/// Above it, history that waits for a disk that takes nothing is given up; intent is kept. A run
/// of 1,000 guests makes some 5,000 rows.
constexpr std::size_t kMostUndone = 20'000;

StoreId id_of(const Write& write) {
    return std::visit(
        [](const auto& command) -> StoreId {
            if constexpr (requires { command.id; })
                return command.id;
            else
                return 0;
        },
        write);
}

bool is_history(const Write& write) {
    return std::holds_alternative<StoreSpan>(write) || std::holds_alternative<StoreGuest>(write) ||
           std::holds_alternative<StoreLearned>(write);
}

/// Nobody waits for it. The end of an entry is followed by the row that says why, which brings a
/// guest back after a reset: the one is not to hurry ahead of the other.
bool may_wait(const Write& write) {
    return id_of(write) == 0 && (is_history(write) || std::holds_alternative<DropEntry>(write));
}

}  // namespace

void Writer::push(Write write) {
    bool wakes = false;
    {
        const std::lock_guard lock{mutex_};
        const bool urgent = !may_wait(write);
        wakes = queue_.empty() || (urgent && !urgent_);
        urgent_ = urgent_ || urgent;
        queue_.push_back(std::move(write));
    }
    if (wakes)
        wake_.notify_one();
}

bool Writer::finish() {
    bool finished = false;
    {
        std::unique_lock lock{mutex_};
        stopping_ = true;
        wake_.notify_one();
        finished = done_.wait_for(lock, kFinishWithin, [this] { return finished_; });
    }
    const std::lock_guard lock{sink_mutex_};
    sink_ = nullptr;
    return finished;
}

// An exception here is a bug or no memory; a daemon that cannot remember must not go on as if it
// could, so it ends (noexcept) and is started again.
void Writer::work() noexcept {  // NOLINT(bugprone-exception-escape)
    while (collect()) {
        if (jobs_.empty()) {
            settle();
            continue;
        }
        write_all();
        answer();
        keep_undone();
    }
    settle();
    db_.reset();
    const std::lock_guard lock{mutex_};
    finished_ = true;
    done_.notify_all();
}

/// Waits for work and takes all of it; there is none when it is time to settle. False when it is
/// time to end.
bool Writer::collect() {
    std::unique_lock lock{mutex_};
    const auto ready = [this] { return stopping_ || !queue_.empty(); };
    if (jobs_.empty() && !settle_after_)
        wake_.wait(lock, ready);
    else
        wake_.wait_for(lock, jobs_.empty() ? *settle_after_ : kRetryEvery, ready);
    if (!queue_.empty())
        wake_.wait_for(lock, kGather, [this] { return stopping_ || urgent_; });
    if (stopping_ && queue_.empty())
        return false;
    urgent_ = false;
    for (auto& write : queue_) {
        const StoreId id = id_of(write);
        // No write of a run waits for it, the intent of a drain least of all.
        if (std::holds_alternative<StoreRunEnd>(write))
            settle_after_ = kSettleAfter;
        else if (std::holds_alternative<StoreRun>(write))
            settle_after_.reset();
        jobs_.push_back(Job{std::move(write), id, {}, false});
    }
    queue_.clear();
    return true;
}

/// A flipped bit in SQLite's log drops what follows it, where one in the file is noticed and mended
/// from a copy (schema.cpp): what a run leaves behind does not stay in the log.
void Writer::settle() {
    settle_after_.reset();
    if (db_ != nullptr && !db_->empty_log())
        settle_after_ = kRetryEvery;
}

bool Writer::is_open() {
    if (db_ != nullptr || !reopen_)
        return db_ != nullptr;
    try {
        db_ = reopen_();
    } catch (const std::exception& error) {
        why_not_ = error.what();
    }
    return db_ != nullptr;
}

void Writer::write_all() {
    if (!is_open())
        return;
    try {
        write_together();
        why_not_.clear();
    } catch (const SqliteError& error) {
        why_not_ = error.what();
        write_singly();
    }
}

void Writer::write_together() {
    Transaction transaction{*db_};
    for (auto& job : jobs_)
        carry_out(job);
    transaction.commit();
    for (auto& job : jobs_)
        job.durable = job.error.empty();
}

/// Together they did not fit: write as many of the oldest as do.
void Writer::write_singly() {
    try {
        for (auto& job : jobs_) {
            Transaction transaction{*db_};
            carry_out(job);
            transaction.commit();
            job.durable = job.error.empty();
        }
    } catch (const SqliteError& error) {
        why_not_ = error.what();
    }
}

void Writer::carry_out(Job& job) {
    job.error.clear();
    try {
        // A row of history is one statement, which SQLite undoes by itself.
        std::optional<Savepoint> savepoint;
        if (!is_history(job.write))
            savepoint.emplace(*db_);
        std::visit([this](const auto& command) { apply(*db_, command); }, job.write);
        if (savepoint)
            savepoint->release();
    } catch (const SqliteError& error) {
        if (!error.means_bad_request() || !db_->in_transaction())
            throw;
        job.error = error.what();
    }
}

void Writer::answer() {
    for (auto& job : jobs_) {
        if (job.id != 0)
            tell(Stored{job.id, job.durable, job.durable ? "" : job.error + why_not_});
        job.id = 0;
    }
}

void Writer::keep_undone() {
    std::erase_if(jobs_, [this](const Job& job) {
        return job.durable || !job.error.empty() || (db_ == nullptr && !reopen_);
    });
    if (jobs_.size() > kMostUndone)
        std::erase_if(jobs_, [](const Job& job) { return is_history(job.write); });
}

void Writer::tell(const Stored& stored) {
    const std::lock_guard lock{sink_mutex_};
    if (sink_)
        sink_(stored);
}

}  // namespace guestd::store
