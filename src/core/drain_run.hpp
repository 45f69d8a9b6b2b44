// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A drain run: every guest of the selection goes down, each on its ladder, all before the hard
/// deadlines.
///
/// Phases of the run: *intent* (the resume list is being made durable; nothing is touched), then
/// *acting*. A guest waits while guests that depend on it are up, or while a limit of ours is full,
/// but never past its latest start: no guest goes unasked.

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/agenda.hpp"
#include "core/context.hpp"
#include "core/ladder.hpp"
#include "core/order.hpp"

namespace guestd::core {

struct DrainTask : Task {
    StopPolicy policy;
    Tier tier = Tier::normal;
    Bytes memory{};
    bool persistent = true;
    std::vector<Rung> ladder;
    std::vector<TimePoint> ends;  ///< latest end of each rung
    std::size_t rung = 0;
    bool begun = false;           ///< has entered its ladder
    TimePoint deadline = kNever;  ///< the URI's hard one
    TimePoint latest_start{};     ///< when it stops waiting for others
    TimePoint rung_end = kNever;
    TimePoint next_request = kNever;
    CallId call = 0;                ///< the rung's own call under way
    CallId agent_call = 0;          ///< an agent shutdown, which may hang beside an ACPI one
    bool acknowledged = false;      ///< libvirt has accepted a request on this rung
    bool aborting = false;          ///< a save that was told to stop
    bool adopted = false;           ///< a save that goes on without a call of ours
    bool awaits_start = false;      ///< a start of an earlier run is still under way
    unsigned blockers = 0;          ///< dependents that are still up
    std::vector<GuestId> releases;  ///< whom this one's end lets go on

    const Rung& current() const { return ladder[rung]; }
};

class DrainRun {
public:
    /// `deadline` overrides every URI's.
    DrainRun(RunRecord record, std::optional<Duration> deadline);
    /// A run that an earlier life of guestd began in this boot, with the guests it had recorded.
    DrainRun(RunRecord record, std::vector<RunGuestRecord> recorded);

    /// Snapshot and intent.
    void begin(Context& ctx);
    /// An event; fleet and calls have already taken it in. `call` = the call that returned.
    void handle(Context& ctx, const Event& event);
    /// Whatever time and free places allow now. To be called after every event.
    void advance(Context& ctx);
    void cancel(Context& ctx);

    bool over() const { return record_.state != RunState::active; }
    TimePoint next_deadline() const;
    const RunRecord& record() const { return record_; }
    RunProgress progress() const;
    std::vector<GuestProgress> guests() const;

private:
    struct Uri {
        TimePoint deadline = kNever;
        TimePoint give_up = kNever;  ///< how long an answer is waited for
        bool seeded = false;         ///< its guests are known from a listing
        bool given_up = false;
        UriPolicy policy;
        unsigned shutting = 0;  ///< guests that parallel_shutdown counts
        unsigned saving = 0;    ///< saves of ours under way
        std::set<std::tuple<int, std::uint64_t, GuestId>> ready;  ///< may begin, in this order
        std::set<std::pair<std::uint64_t, GuestId>> save_queue;   ///< largest first
    };
    enum class Phase { intent, acting };

    // drain_run.cpp: the run
    void set_up_uris(Context& ctx);
    std::vector<GuestId> add_guests(Context& ctx, UriId uri);
    bool wanted(const Context& ctx, const Guest& guest) const;
    void admit(Context& ctx, const Guest& guest, const GuestPolicy& policy);
    void arrange(Context& ctx, const std::vector<GuestId>& ids,
                 const std::vector<OrderNode>& nodes);
    void write_late_intent(Context& ctx, const std::vector<GuestId>& ids);
    void account_for_recorded(Context& ctx, UriId uri);
    void start_acting(Context& ctx, bool durable, const std::string& why);
    void add_late(Context& ctx, UriId uri);
    ResumeEntry entry_for(const Context& ctx, const DrainTask& task) const;
    void on_listed(Context& ctx, UriId uri);
    void on_changed(Context& ctx, const GuestChanged& event);
    void give_up_silent_uris(Context& ctx);
    void make_ready(DrainTask& task);
    void fill(Context& ctx, UriId uri);
    void finish_if_done(Context& ctx);
    void on_returned_to(Context& ctx, const CallReturned& event);

    // drain_ladder.cpp: one guest on its ladder
    void begin_ladder(Context& ctx, DrainTask& task);
    void enter_rung(Context& ctx, DrainTask& task);
    void next_rung(Context& ctx, DrainTask& task, std::string why);
    void request(Context& ctx, DrainTask& task);
    void request_shutdown(Context& ctx, DrainTask& task);
    void request_destroy(Context& ctx, DrainTask& task);
    void submit_save(Context& ctx, DrainTask& task);
    void on_returned(Context& ctx, DrainTask& task, const CallReturned& event);
    void on_refused(Context& ctx, DrainTask& task, const CallReturned& event);
    void on_time(Context& ctx, DrainTask& task);
    void on_save_time(Context& ctx, DrainTask& task);
    void on_gone(Context& ctx, DrainTask& task);
    void judge_again(Context& ctx, DrainTask& task);
    void finish(Context& ctx, DrainTask& task, Outcome outcome, std::string cause);
    void leave_queues(DrainTask& task);
    void rearm(DrainTask& task);

    Uri& uri_of(const DrainTask& task) { return uris_[static_cast<std::size_t>(task.id.uri)]; }

    RunRecord record_;
    std::optional<Duration> deadline_override_;
    std::vector<RunGuestRecord> recorded_;
    Phase phase_ = Phase::intent;
    StoreId intent_ = 0;
    TimePoint intent_deadline_ = kNever;
    std::vector<Uri> uris_;
    std::map<GuestId, DrainTask> tasks_;
    std::size_t pending_ = 0;
    Agenda<GuestId> agenda_;
    std::vector<std::string> silent_;  ///< URIs waited for, with reason
};

}  // namespace guestd::core
