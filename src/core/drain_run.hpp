// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A drain run: every guest of the selection goes down, each on its ladder, all before the hard
/// deadlines.
///
/// Phases of the run: *intent* (the resume list is being made durable; nothing is touched), then
/// *acting*. A guest that turns up later goes through both by itself. A guest waits while guests
/// that depend on it are up, or while a limit of ours is full, but never past its latest start: no
/// guest goes unasked. While libvirt is away, a step's own time stands still; its latest end does
/// not. A stop that only an event told of is looked up before it counts.

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/agenda.hpp"
#include "core/context.hpp"
#include "core/ladder.hpp"
#include "core/order.hpp"
#include "core/save_pace.hpp"
#include "core/save_window.hpp"

namespace guestd::core {

/// What the store remembers of how fast a URI's saves were, by URI.
inline const std::string kLearnedDisk = "save.disk:";
inline const std::string kLearnedStream = "save.stream:";

void add_cause(Task& task, const std::string& text);

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
    std::optional<TimePoint> begun_before;  ///< by an earlier life of guestd
    Duration spent{};                       ///< of its first rung, by then
    TimePoint next_request = kNever;
    StoreId intent = 0;               ///< write of its entry that it waits for; 0 = none
    CallId call = 0;                  ///< the rung's own call under way
    CallId agent_call = 0;            ///< an agent shutdown, which may hang beside an ACPI one
    CallId look = 0;                  ///< a reading of its state
    TimePoint stop_by = kNever;       ///< an event said it stopped: believed then, if not before
    bool acknowledged = false;        ///< libvirt has accepted a request on this rung
    CallId abort = 0;                 ///< of the job under way
    bool looking = false;             ///< counts as such
    bool clearing = false;            ///< what else goes on with it is being cleared up
    GuestJob job = GuestJob::none;    ///< somebody else's, which was found then
    bool aborting = false;            ///< a job that was told to stop
    bool save_begun = false;          ///< on an earlier step
    bool suspending = false;          ///< is paused before its save, or has been tried to
    bool adopted = false;             ///< a save that goes on without a call of ours
    bool overdue = false;             ///< the rung was prolonged because libvirt did not answer
    bool awaits_start = false;        ///< a start of an earlier run is still under way
    bool half_started = false;        ///< it has not come up yet, and may never do
    bool counts_as_shutting = false;  ///< has a place of parallel_shutdown
    bool counts_as_saving = false;    ///< has a place of parallel_save
    std::string image_identity;       ///< of its disks and its image, once it is saved
    bool gone = false;                ///< it is over because the guest is down
    unsigned blockers = 0;            ///< dependents that are still up
    std::vector<GuestId> releases;    ///< whom this one's end lets go on

    const Rung& current() const { return ladder[rung]; }
    bool on(RungKind kind) const { return begun && current().kind == kind; }
};

class DrainRun {
public:
    /// `deadline` overrides every URI's.
    DrainRun(RunRecord record, std::optional<Duration> deadline);
    /// A run that an earlier life of guestd began in this boot, with the guests it had recorded.
    DrainRun(RunRecord record, std::vector<RunGuestRecord> recorded);

    /// Snapshot and intent.
    void begin(Context& ctx);
    /// An event; fleet and calls have already taken it in.
    void handle(Context& ctx, const Event& event);
    /// Whatever time and free places allow now. To be called after every event.
    void advance(Context& ctx);
    void cancel(Context& ctx);
    /// Another drain takes over: calls under way and entries are left to it.
    void hand_over(Context& ctx);
    /// Guests, with their names, that this run took down or may have asked to go down.
    std::map<GuestId, std::string> touched(const Context& ctx) const;

    bool over() const { return record_.state != RunState::active; }
    TimePoint next_deadline() const;
    const RunRecord& record() const { return record_; }
    RunProgress progress() const;
    std::vector<GuestProgress> guests() const;

private:
    /// Critical ones first, then the largest.
    using SaveKey = std::tuple<int, std::uint64_t, GuestId>;
    struct Uri {
        TimePoint deadline = kNever;
        TimePoint give_up = kNever;  ///< how long an answer is waited for
        bool seeded = false;         ///< its guests are known from a listing
        bool given_up = false;
        UriPolicy policy;
        unsigned shutting = 0;  ///< guests that parallel_shutdown counts
        unsigned saving = 0;    ///< saves under way
        unsigned looking = 0;   ///< guests of which is not known yet whether they are busy
        SavePace pace;
        SaveWindow window;
        Bytes queued;                   ///< memory of the save queue
        TimePoint late_since = kNever;  ///< a projection says so, see drain_save.cpp
        TimePoint judged{};             ///< when it was made
        std::set<std::tuple<int, std::uint64_t, GuestId>> ready;  ///< may begin, in this order
        std::set<SaveKey> save_queue;
    };
    enum class Phase { intent, acting };
    /// How long the first touch waits for the resume list to become durable. A healthy disk needs
    /// milliseconds; one that needs longer may never answer, and the guests must still go down.
    static constexpr Duration kIntentTime = 5s;

    // drain_run.cpp: the run
    void set_up_uris(Context& ctx);
    Duration intent_time(const Context& ctx) const;
    void on_listed(Context& ctx, UriId uri);
    void on_changed(Context& ctx, const GuestChanged& event);
    void on_returned_to(Context& ctx, const CallReturned& event);
    void never_came_up(Context& ctx, DrainTask& task);
    void on_start_returned(Context& ctx, DrainTask& task, const CallReturned& event);
    void give_up_silent_uris(Context& ctx);
    void fill(Context& ctx, UriId uri);
    void finish_if_done(Context& ctx);
    void finish(Context& ctx, DrainTask& task, Outcome outcome, std::string cause);
    void leave_queues(Context& ctx, DrainTask& task, bool saved = false);

    // drain_admit.cpp: who takes part, when each may begin, and the intent
    std::vector<GuestId> add_guests(Context& ctx, UriId uri);
    bool wanted(const Context& ctx, const Guest& guest) const;
    void admit(Context& ctx, const Guest& guest, const GuestPolicy& policy);
    void arrange(Context& ctx, const std::vector<GuestId>& ids,
                 const std::vector<OrderNode>& nodes);
    void make_ready(DrainTask& task);
    static std::tuple<int, std::uint64_t, GuestId> ready_key(const DrainTask& task);
    ResumeEntry entry_for(const Context& ctx, const DrainTask& task) const;
    std::vector<ResumeEntry> saved_ahead(Context& ctx) const;
    void add_late(Context& ctx, UriId uri);
    void settle_intent(Context& ctx, StoreId id, bool durable, const std::string& why);
    DrainTask& add_recorded(const RunGuestRecord& record, const GuestId& id);
    void account_for_recorded(Context& ctx, UriId uri);
    void fail_recorded(Context& ctx, UriId uri);

    // drain_clear.cpp: what else goes on with a guest, before its ladder
    bool needs_clearing(const Context& ctx, const DrainTask& task) const;
    void clear(Context& ctx, DrainTask& task);
    void inspect(Context& ctx, DrainTask& task);
    void count_as_looking(DrainTask& task, bool on);
    void on_clearing_returned(Context& ctx, DrainTask& task, const CallReturned& event,
                              CallKind kind);
    void on_clearing_time(Context& ctx, DrainTask& task);

    // drain_ladder.cpp: one guest on its ladder
    void begin_ladder(Context& ctx, DrainTask& task);
    void mount_ladder(Context& ctx, DrainTask& task);
    static void go_on_where_it_was(const Context& ctx, DrainTask& task);
    void enter_rung(Context& ctx, DrainTask& task);
    void next_rung(Context& ctx, DrainTask& task, std::string why);
    void on_time(Context& ctx, DrainTask& task);
    void on_time_before_ladder(Context& ctx, DrainTask& task);
    static bool unanswered_to_the_end(DrainTask& task);
    void on_deadline(Context& ctx, DrainTask& task);
    void on_stop_told(Context& ctx, DrainTask& task);
    void on_gone(Context& ctx, DrainTask& task);
    void judge_again(Context& ctx, DrainTask& task);
    void rearm(DrainTask& task);

    // drain_request.cpp: what is asked of libvirt, and what its answers mean
    void request(Context& ctx, DrainTask& task);
    void request_shutdown(Context& ctx, DrainTask& task);
    void request_destroy(Context& ctx, DrainTask& task);
    void request_migration(Context& ctx, DrainTask& task);
    void look(Context& ctx, DrainTask& task);
    void on_returned(Context& ctx, DrainTask& task, const CallReturned& event);
    void on_looked(Context& ctx, DrainTask& task, const CallReturned& event);
    void on_done(Context& ctx, DrainTask& task);
    void on_refused(Context& ctx, DrainTask& task, const CallReturned& event);
    void on_shutdown_refused(Context& ctx, DrainTask& task, const CallReturned& event,
                             bool by_agent);
    void abandon_calls(Context& ctx, DrainTask& task);

    // drain_save.cpp: managed saves
    static SaveKey save_key(const DrainTask& task);
    void queue_to_save(DrainTask& task, bool on);
    void count_as_saving(Context& ctx, DrainTask& task, bool on, bool complete = false);
    void request_save(Context& ctx, DrainTask& task);
    void submit_save(Context& ctx, DrainTask& task);
    static GuestId next_to_save(const Uri& uri, bool short_of_time);
    void fill_saves(Context& ctx, UriId uri);
    void on_progressed(Context& ctx, const SaveProgressed& event);
    void abort_hopeless(Context& ctx, Uri& uri);
    void abort_job(Context& ctx, DrainTask& task);
    void on_save_time(Context& ctx, DrainTask& task);
    void wake_from_pause(Context& ctx, DrainTask& task);
    void learn(Context& ctx);

    Uri& uri_of(const DrainTask& task) { return uris_[static_cast<std::size_t>(task.id.uri)]; }

    RunRecord record_;
    Selection selection_;
    std::optional<Duration> deadline_override_;
    bool continued_ = false;
    bool cancelled_ = false;
    std::vector<RunGuestRecord> recorded_;
    std::map<std::pair<std::string, Uuid>, TimePoint> begun_before_;  ///< URI and guest
    Phase phase_ = Phase::intent;
    StoreId intent_ = 0;                    ///< the run's own
    std::map<StoreId, TimePoint> intents_;  ///< writes waited for, and until when
    bool store_silent_ = false;             ///< it has kept us waiting in vain once
    bool list_lost_ = false;                ///< the resume list could not be written
    std::vector<Uri> uris_;
    std::map<GuestId, DrainTask> tasks_;
    std::size_t pending_ = 0;
    Agenda<GuestId> agenda_;
    std::vector<std::string> silent_;  ///< URIs waited for, with reason
};

}  // namespace guestd::core
