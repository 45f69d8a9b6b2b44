// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What guestd remembers, for history, plot and learned durations.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "guestd/error.hpp"
#include "guestd/records.hpp"

namespace guestd::store {

class Database;

/// Reads the state over a connection of its own, beside a running Store or without one. Sees what
/// has been committed. Any thread, one at a time. Every member blocks for disk reads; errors are
/// faults. Rows that make no sense are left out.
class History {
public:
    /// `unavailable` when there is no state in `dir`.
    static Result<std::unique_ptr<History>> open(const std::filesystem::path& dir);
    ~History();
    History(const History&) = delete;
    History& operator=(const History&) = delete;

    /// The newest runs, newest first.
    Result<std::vector<RunRecord>> runs(unsigned limit);
    /// In the order in which the run listed them.
    Result<std::vector<RunGuestRecord>> guests(RunId run);
    /// In the order in which they began to be written.
    Result<std::vector<SpanRecord>> spans(RunId run);
    Result<std::vector<ResumeEntry>> resume_list();
    Result<std::map<std::string, double>> learned();

private:
    explicit History(std::unique_ptr<Database> db);

    std::unique_ptr<Database> db_;
};

}  // namespace guestd::store
