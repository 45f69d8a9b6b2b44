// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The store's thread: a queue of writes, and the order and grouping in which they reach the disk.
///
/// What is on the disk is at every instant a prefix of what was queued, less the commands that can
/// never be carried out (a row of a run that is not there), which fail alone.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "guestd/ports/hypervisor.hpp"
#include "store/rows.hpp"

namespace guestd::store {

using Write = std::variant<StoreRun, StoreEntries, DropEntry, StoreGuest, StoreSpan, StoreRunEnd,
                           KeepConfig, StoreLearned>;

/// Shared by the Store and its thread, which may outlive the Store on a dying disk.
class Writer {
public:
    using Open = std::function<std::unique_ptr<Database>()>;

    /// `db` may be null: then every write is answered with `why_not`, after a try of `reopen` when
    /// there is one.
    Writer(std::unique_ptr<Database> db, Open reopen, std::string why_not, EventSink sink)
        : db_(std::move(db)),
          reopen_(std::move(reopen)),
          why_not_(std::move(why_not)),
          sink_(std::move(sink)) {}

    /// Any thread; does not block.
    void push(Write write);
    /// The thread's whole life. An exception ends the process.
    void work() noexcept;  // NOLINT(bugprone-exception-escape)
    /// Asks the thread to write what is queued and to end, and waits for it within bounds. The sink
    /// is not called any more once this has returned. False: the thread is stuck.
    bool finish();

private:
    struct Job {
        Write write;
        StoreId id = 0;     ///< 0: nobody waits, or has been answered
        std::string error;  ///< not empty: can never be carried out
        bool durable = false;
    };
    using Jobs = std::deque<Job>;

    bool collect();
    bool is_open();
    void settle();
    void write_all();
    void write_together();
    void write_singly();
    void carry_out(Job& job);
    void answer();
    void keep_undone();
    void tell(const Stored& stored);

    std::unique_ptr<Database> db_;  // the thread's
    Open reopen_;                   // the thread's; null: there is no hope
    std::string why_not_;           // the thread's: the last fault of the place, "" = none
    Jobs jobs_;                     // the thread's: what is to be written, oldest first
    // The thread's: how long after the last write SQLite's log is to be emptied; none = not at all.
    std::optional<std::chrono::seconds> settle_after_;

    std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    std::condition_variable done_;
    std::vector<Write> queue_;
    bool urgent_ = false;  ///< somebody waits for a write of the queue
    bool stopping_ = false;
    bool finished_ = false;

    std::mutex sink_mutex_;  // held while the sink runs, so that `finish` can shut it
    EventSink sink_;
};

}  // namespace guestd::store
