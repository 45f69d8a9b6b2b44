// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What a run works with during one step, and the bookkeeping that both kinds of run share.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/calls.hpp"
#include "core/fleet.hpp"
#include "core/watches.hpp"
#include "guestd/commands.hpp"
#include "guestd/policy.hpp"
#include "guestd/view.hpp"

namespace guestd::core {

/// The resume list in memory; every change goes into the outbox as well.
class ResumeList {
public:
    void restore(const std::vector<ResumeEntry>& entries);
    /// In memory only: for entries that are stored together with their run.
    void remember(const ResumeEntry& entry);
    void put(Outbox& out, const ResumeEntry& entry, StoreId id = 0);
    bool drop(Outbox& out, const std::string& uri, const Uuid& uuid);
    const ResumeEntry* find(const std::string& uri, const Uuid& uuid) const;
    std::vector<ResumeEntry> all() const;
    std::vector<ResumeEntry> of_uri(const std::string& uri) const;

private:
    std::map<std::pair<std::string, Uuid>, ResumeEntry> entries_;
};

/// Numbers of earlier runs; every change goes into the outbox as well.
class Learned {
public:
    void restore(std::map<std::string, double> values) { values_ = std::move(values); }
    void put(Outbox& out, const std::string& key, double value);
    /// 0 = never learned.
    double find(const std::string& key) const;

private:
    std::map<std::string, double> values_;
};

class Clocks;

/// References are valid for one step only; nothing keeps a Context.
struct Context {
    Fleet& fleet;
    Calls& calls;
    Watches& watches;
    Clocks& clocks;
    ResumeList& resume;
    Learned& learned;
    const PolicySource& policy;
    StoreId& last_store;
    Outbox& out;
    TimePoint now;
    /// The event of this step is the return of such a call.
    std::optional<CallKind> returned = {};

    StoreId next_store() { return ++last_store; }
    const std::string& uri_text(UriId uri) const { return fleet.uri(uri).uri; }
    GuestPolicy guest_policy(const GuestId& id, const GuestInfo& info,
                             std::optional<Trigger> trigger) const;
};

/// What every task of a run is, whatever it does: one guest on its way to one outcome.
struct Task {
    GuestId id;
    std::string name;
    std::string phase = "waiting";
    TimePoint since{};
    TimePoint phase_deadline = kNever;
    unsigned attempts = 0;
    std::string held_for;
    std::string answer;
    std::optional<TimePoint> started;
    Bytes done{};
    Bytes total{};
    Outcome outcome = Outcome::pending;
    std::string cause;

    bool over() const { return outcome != Outcome::pending; }
};

GuestProgress progress_of(const Task& task);

/// `tasks`: a run's map from guest to task, of whichever kind.
template <class Tasks>
std::vector<GuestProgress> progress_of_all(const Tasks& tasks) {
    std::vector<GuestProgress> guests;
    guests.reserve(tasks.size());
    for (const auto& [id, task] : tasks)
        guests.push_back(progress_of(task));
    return guests;
}

template <class Tasks>
std::map<Outcome, unsigned> outcomes_of(const Tasks& tasks) {
    std::map<Outcome, unsigned> counts;
    for (const auto& [id, task] : tasks)
        ++counts[task.outcome];
    return counts;
}

/// Ends the task's present phase (it becomes a span of the history) and begins the next.
void enter_phase(Context& ctx, RunId run, Task& task, std::string phase, std::string note = {});
/// The task's row in the store.
RunGuestRecord record_of(const Context& ctx, RunId run, const Task& task,
                         std::optional<TimePoint> ended = {});
/// Closes the task: span, row, notice.
void conclude(Context& ctx, RunId run, Task& task, Outcome outcome, std::string cause);
/// Ends the run's record: row, notice.
void conclude_run(Context& ctx, RunRecord& run, RunState state, std::string text);
/// Ends a run all of whose guests have their outcome; one that is not clean makes the run so.
void conclude_finished(Context& ctx, RunRecord& run, const std::map<Outcome, unsigned>& counts);

/// "42s", for causes.
std::string seconds(Duration time);

void remark(Context& ctx, RunId run, const Task* task, NoticeKind kind, std::string text,
            bool warning);
/// The same about a URI.
void remark(Context& ctx, RunId run, UriId uri, NoticeKind kind, std::string text, bool warning);

}  // namespace guestd::core
