// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Reads the history for the bus without making the loop wait for a disk.
///
/// One thread, made with the first question that it can be made for. It shares its state with the
/// reader, so a disk that never answers holds the thread and nothing else.

#include <functional>
#include <memory>
#include <string>

#include "guestd/error.hpp"
#include "store/history.hpp"
#include "systemd/loop.hpp"

namespace guestd::daemon {

class HistoryReader {
public:
    /// What to do on the reader's thread; what it returns runs on the loop. The history is the
    /// fault's text where the state cannot be opened.
    using Answer = std::function<void()>;
    using Question = std::function<Answer(Result<store::History*>)>;

    static Result<std::unique_ptr<HistoryReader>> create(systemd::Loop& loop,
                                                         std::string state_dir);
    ~HistoryReader();
    HistoryReader(const HistoryReader&) = delete;
    HistoryReader& operator=(const HistoryReader&) = delete;

    /// Loop's thread. Where there can be no thread now, the question is asked here at once, with
    /// the fault; its answer comes later all the same.
    void ask(Question question);

private:
    struct Shared;
    explicit HistoryReader(std::shared_ptr<Shared> shared);

    std::shared_ptr<Shared> shared_;
    systemd::IoSource source_;
    bool started_ = false;
};

}  // namespace guestd::daemon
