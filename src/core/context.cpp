// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/context.hpp"

namespace guestd::core {

void ResumeList::restore(const std::vector<ResumeEntry>& entries) {
    for (const auto& entry : entries)
        remember(entry);
}

void ResumeList::remember(const ResumeEntry& entry) {
    entries_.insert_or_assign({entry.uri, entry.uuid}, entry);
}

void ResumeList::put(Outbox& out, const ResumeEntry& entry, StoreId id) {
    remember(entry);
    out.emplace_back(StoreEntries{id, {entry}});
}

bool ResumeList::drop(Outbox& out, const std::string& uri, const Uuid& uuid) {
    if (entries_.erase({uri, uuid}) == 0)
        return false;
    out.emplace_back(DropEntry{uri, uuid});
    return true;
}

const ResumeEntry* ResumeList::find(const std::string& uri, const Uuid& uuid) const {
    const auto found = entries_.find({uri, uuid});
    return found == entries_.end() ? nullptr : &found->second;
}

std::vector<ResumeEntry> ResumeList::all() const {
    std::vector<ResumeEntry> entries;
    for (const auto& [key, entry] : entries_)
        entries.push_back(entry);
    return entries;
}

std::vector<ResumeEntry> ResumeList::of_uri(const std::string& uri) const {
    std::vector<ResumeEntry> entries;
    for (auto at = entries_.lower_bound({uri, Uuid{}});
         at != entries_.end() && at->first.first == uri; ++at)
        entries.push_back(at->second);
    return entries;
}

void Learned::put(Outbox& out, const std::string& key, double value) {
    values_[key] = value;
    out.emplace_back(StoreLearned{key, value});
}

double Learned::find(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? 0 : found->second;
}

GuestPolicy Context::guest_policy(const GuestId& id, const GuestInfo& info,
                                  std::optional<Trigger> trigger) const {
    return policy.guest(GuestFacts{uri_text(id.uri), id.uuid, info.name, info.metadata}, trigger);
}

GuestProgress progress_of(const Task& task) {
    return GuestProgress{.guest = task.id,
                         .name = task.name,
                         .phase = task.over() ? "done" : task.phase,
                         .since = task.since,
                         .phase_deadline = task.phase_deadline,
                         .attempts = task.attempts,
                         .held_for = task.held_for,
                         .answer = task.answer,
                         .done = task.done,
                         .total = task.total,
                         .outcome = task.outcome,
                         .cause = task.cause};
}

void enter_phase(Context& ctx, RunId run, Task& task, std::string phase, std::string note) {
    // A stretch of no length is no stretch: most guests never wait.
    if (task.since < ctx.now && task.since != TimePoint{})
        ctx.out.emplace_back(StoreSpan{SpanRecord{.run = run,
                                                  .uri = ctx.uri_text(task.id.uri),
                                                  .uuid = task.id.uuid,
                                                  .what = task.phase,
                                                  .begin = task.since,
                                                  .end = ctx.now,
                                                  .note = std::move(note)}});
    task.phase = std::move(phase);
    task.since = ctx.now;
    task.phase_deadline = kNever;
    task.held_for.clear();
    task.answer.clear();
}

RunGuestRecord record_of(const Context& ctx, RunId run, const Task& task,
                         std::optional<TimePoint> ended) {
    return RunGuestRecord{.run = run,
                          .uri = ctx.uri_text(task.id.uri),
                          .uuid = task.id.uuid,
                          .name = task.name,
                          .outcome = task.outcome,
                          .cause = task.cause,
                          .started = task.started,
                          .ended = ended,
                          .bytes = task.done};
}

void conclude(Context& ctx, RunId run, Task& task, Outcome outcome, std::string cause) {
    enter_phase(ctx, run, task, "done", cause);
    task.outcome = outcome;
    task.cause = std::move(cause);
    ctx.out.emplace_back(StoreGuest{record_of(ctx, run, task, ctx.now)});
    ctx.out.emplace_back(Notice{.kind = NoticeKind::guest_done,
                                .run = run,
                                .guest = task.id,
                                .name = task.name,
                                .outcome = outcome,
                                .text = task.cause,
                                .warning = !is_clean(outcome)});
}

void conclude_run(Context& ctx, RunRecord& run, RunState state, std::string text) {
    run.state = state;
    run.ended = ctx.now;
    ctx.out.emplace_back(StoreRunEnd{ctx.next_store(), run});
    ctx.out.emplace_back(Notice{.kind = NoticeKind::run_ended,
                                .run = run.id,
                                .what = std::string{to_string(run.kind)},
                                .text = std::move(text),
                                .warning = !run.clean});
}

void conclude_finished(Context& ctx, RunRecord& run, const std::map<Outcome, unsigned>& counts) {
    std::string text;
    for (const auto& [outcome, count] : counts) {
        run.clean = run.clean && is_clean(outcome);
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " +
                std::string{to_string(outcome)};
    }
    conclude_run(ctx, run, RunState::finished, text.empty() ? "no guests" : text);
}

std::string seconds(Duration time) {
    using namespace std::chrono;
    const auto whole = duration_cast<std::chrono::seconds>(time).count();
    const auto two = [](std::int64_t amount, const char* unit, const char* rest) {
        auto text = std::to_string(amount / 60) + unit;
        return amount % 60 == 0 ? text : text + " " + std::to_string(amount % 60) + rest;
    };
    if (time >= 1h)
        return two(whole / 60, "h", "min");
    if (time >= 1min)
        return two(whole, "min", "s");
    if (time >= 10s)
        return std::to_string(whole) + "s";
    const auto tenths = duration_cast<milliseconds>(time).count() / 100;
    const auto rest = tenths % 10;
    return std::to_string(tenths / 10) + (rest == 0 ? "" : "." + std::to_string(rest)) + "s";
}

void remark(Context& ctx, RunId run, const Task* task, NoticeKind kind, std::string text,
            bool warning) {
    Notice notice{.kind = kind, .run = run, .text = std::move(text), .warning = warning};
    if (task != nullptr) {
        notice.guest = task->id;
        notice.name = task->name;
        notice.what = task->phase;
    }
    ctx.out.emplace_back(std::move(notice));
}

void remark(Context& ctx, RunId run, UriId uri, NoticeKind kind, std::string text, bool warning) {
    ctx.out.emplace_back(
        Notice{.kind = kind, .run = run, .uri = uri, .text = std::move(text), .warning = warning});
}

}  // namespace guestd::core
