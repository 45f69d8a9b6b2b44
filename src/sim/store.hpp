// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The store as the core sees it: writes become durable in order, some time after they were asked
/// for. What was not durable when guestd died is gone, as a queue in its memory would be.

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "guestd/commands.hpp"
#include "guestd/events.hpp"
#include "sim/clockwork.hpp"

namespace guestd::sim {

class Store {
public:
    enum class Health { good, fails, silent };

    explicit Store(Clockwork& clockwork) : clockwork_(clockwork) {}

    Health health = Health::good;
    Duration latency = 2ms;
    /// What answers `Stored`.
    std::function<void(Stored)> answer = [](const Stored&) {};

    using Write = std::variant<StoreRun, StoreEntries, DropEntry, StoreGuest, StoreSpan,
                               StoreLearned, StoreRunEnd>;
    void write(Write write);
    /// guestd has died: what is not on the disk is lost.
    void forget_queue() { ++life_; }

    Restored restored(const std::string& boot_id) const;

    // What is on the disk.
    using Key = std::pair<std::string, Uuid>;
    std::map<Key, ResumeEntry> entries;
    std::map<RunId, RunRecord> runs;
    std::map<RunId, std::map<Key, RunGuestRecord>> guests;
    std::vector<SpanRecord> spans;
    std::map<std::string, double> learned;

private:
    void apply(StoreRun& write);
    void apply(StoreEntries& write);
    void apply(const DropEntry& write);
    void apply(StoreGuest& write);
    void apply(StoreSpan& write);
    void apply(const StoreLearned& write);
    void apply(const StoreRunEnd& write);

    Clockwork& clockwork_;
    unsigned life_ = 0;
};

}  // namespace guestd::sim
