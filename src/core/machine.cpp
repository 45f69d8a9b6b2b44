// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guestd/machine.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/boot_run.hpp"
#include "core/clocks.hpp"
#include "core/drain_run.hpp"

namespace guestd {

using namespace core;
namespace {

/// No drain is given longer: settings end at a month, requests at a year.
constexpr Duration kLongestDrain = std::chrono::hours{24 * 366};

/// Times of a run that is continued, as far as they can be true: a damaged row must neither end the
/// drain before its guests are asked, nor void its hard deadline, nor overflow a sum.
void mend_times(RunRecord& run, std::vector<RunGuestRecord>& guests, TimePoint now) {
    const bool begun_before_now = TimePoint{} <= run.started && run.started <= now;
    if (!begun_before_now)
        run.started = now;
    if (run.kind == RunKind::drain && (!begun_before_now || run.deadline < run.started ||
                                       run.deadline - run.started > kLongestDrain))
        run.deadline = kNever;  // what policy says
    for (auto& guest : guests)
        for (auto* time : {&guest.started, &guest.ended})
            if (*time)
                *time = std::clamp(**time, run.started, now);
}

}  // namespace

class Machine::Impl {
public:
    Impl(std::string boot_id, std::vector<std::string> uris,
         std::shared_ptr<const PolicySource> policy)
        : boot_id_(std::move(boot_id)), fleet_(std::move(uris)), policy_(std::move(policy)) {}

    void restore(Outbox& out, const Restored& restored, bool safe_boot, TimePoint now);
    void step(Outbox& out, const Event& event, TimePoint now);

    Context context(Outbox& out, TimePoint now) {
        return Context{fleet_,   calls_,   watches_,    clocks_, resume_,
                       learned_, *policy_, last_store_, out,     now};
    }

    std::string boot_id_;
    Fleet fleet_;
    Calls calls_;
    Watches watches_;
    Clocks clocks_;
    ResumeList resume_;
    Learned learned_;
    std::shared_ptr<const PolicySource> policy_;
    std::unique_ptr<BootRun> boot_;
    std::unique_ptr<DrainRun> drain_;
    /// A boot run that waits for a silent URI only, while some guests are drained.
    std::unique_ptr<BootRun> parked_;
    /// Guests that a boot run had not brought up when the drain took over, for its cancel; but
    /// those that have been seen up since.
    std::map<GuestId, std::string> left_;
    std::optional<RunRecord> last_run_;
    RunId last_run_id_ = 0;
    StoreId last_store_ = 0;
    std::set<CallId> looks_;  ///< of ours, outside any run

    std::optional<std::string> refused(const RunRequested& request) const;

private:
    void list_again(Outbox& out, const std::vector<RunGuestRecord>& guests);
    void take_in(const Event& event, TimePoint now);
    void forget_left(const Event& event);
    void request(Context& ctx, const RunRequested& event);
    std::map<GuestId, std::string> waiting_since(RunId run) const;
    void cancel(Context& ctx, RunId run);
    void begin_boot(Context& ctx, RunRecord record, std::vector<GuestId> only);
    void settle_entries(Context& ctx, const Event& event, std::optional<CallKind> returned,
                        bool was_up);
    void settle_entry(Context& ctx, const GuestId& id);
    void look_at_defined(Context& ctx, const Event& event);
    bool entries_are_kept() const;
    void retire_runs(Context& ctx);
    void end_parked(Context& ctx);
    RunRecord new_run(const Context& ctx, RunKind kind, Trigger trigger);
};

RunRecord Machine::Impl::new_run(const Context& ctx, RunKind kind, Trigger trigger) {
    RunRecord record;
    record.id = ++last_run_id_;
    record.kind = kind;
    record.trigger = trigger;
    record.boot_id = boot_id_;
    record.started = ctx.now;
    return record;
}

void Machine::Impl::restore(Outbox& out, const Restored& restored, bool safe_boot, TimePoint now) {
    auto ctx = context(out, now);
    resume_.restore(restored.resume_list);
    fleet_.know(restored.known_uris);
    learned_.restore(restored.learned);
    last_run_id_ = restored.last_run;
    auto unfinished = restored.unfinished;
    auto unfinished_guests = restored.unfinished_guests;
    if (unfinished && (restored.new_boot || unfinished->boot_id != boot_id_)) {
        // Its clock is gone, and the host has gone down since: what it left is the resume list.
        unfinished->state = RunState::superseded;
        unfinished->clean = false;
        out.emplace_back(StoreRunEnd{0, *unfinished});
        if (unfinished->kind == RunKind::boot)
            list_again(out, restored.unfinished_guests);
        unfinished.reset();
    }
    if (unfinished && unfinished->kind == RunKind::boot && safe_boot) {
        unfinished->state = RunState::cancelled;
        unfinished->clean = false;
        out.emplace_back(StoreRunEnd{0, *unfinished});
        unfinished.reset();
    }
    if (unfinished)
        mend_times(*unfinished, unfinished_guests, now);
    if (unfinished && unfinished->kind == RunKind::drain) {
        drain_ = std::make_unique<DrainRun>(*unfinished, std::move(unfinished_guests));
        drain_->begin(ctx);
    } else if (unfinished) {
        boot_ = std::make_unique<BootRun>(*unfinished, unfinished_guests);
        boot_->begin(ctx);
    } else if (!restored.boot_run_done && !safe_boot) {
        begin_boot(ctx, new_run(ctx, RunKind::boot, Trigger::host_boot), {});
    }
}

/// The host was reset while its guests came up: those that were up already are off the list, and
/// no drain has put them there again.
void Machine::Impl::list_again(Outbox& out, const std::vector<RunGuestRecord>& guests) {
    for (const auto& row : guests) {
        const bool was_up = row.outcome == Outcome::started || row.outcome == Outcome::restored ||
                            row.outcome == Outcome::already_running;
        if (was_up && resume_.find(row.uri, row.uuid) == nullptr)
            resume_.put(
                out,
                ResumeEntry{.uri = row.uri, .uuid = row.uuid, .name = row.name, .run = row.run});
    }
}

void Machine::Impl::begin_boot(Context& ctx, RunRecord record, std::vector<GuestId> only) {
    boot_ = std::make_unique<BootRun>(std::move(record), std::move(only));
    boot_->begin(ctx);
}

void Machine::Impl::take_in(const Event& event, TimePoint now) {
    if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        fleet_.apply(*listed, now);
    } else if (const auto* lost = std::get_if<UriLost>(&event)) {
        fleet_.apply(*lost, now);
    } else if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        fleet_.apply(*changed, now);
    } else if (const auto* flags = std::get_if<AutostartListed>(&event)) {
        fleet_.apply(*flags);
    } else if (const auto* agent = std::get_if<AgentChanged>(&event)) {
        fleet_.apply(*agent);
    } else if (const auto* returned = std::get_if<CallReturned>(&event)) {
        if (returned->observed)
            fleet_.observe(returned->guest, *returned->observed);
    } else if (const auto* replaced = std::get_if<PolicyReplaced>(&event)) {
        policy_ = replaced->policy;
    }
}

/// "Defined" says only that something about the definition is new: memory, autostart, metadata.
void Machine::Impl::look_at_defined(Context& ctx, const Event& event) {
    const auto* changed = std::get_if<GuestChanged>(&event);
    if (changed != nullptr && changed->what == Lifecycle::defined &&
        !calls_.find(changed->guest, CallKind::probe))
        calls_.submit(ctx.out, Call{.guest = changed->guest, .kind = CallKind::probe}, ctx.now);
}

/// Whoever has brought it up: who stops it afterwards means it.
void Machine::Impl::forget_left(const Event& event) {
    if (left_.empty())
        return;
    if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        if (fleet_.up(changed->guest))
            left_.erase(changed->guest);
    } else if (const auto* returned = std::get_if<CallReturned>(&event)) {
        if (fleet_.up(returned->guest))
            left_.erase(returned->guest);
    } else if (std::holds_alternative<InventoryListed>(event)) {
        std::erase_if(left_, [this](const auto& guest) { return fleet_.up(guest.first); });
    }
}

/// While a drain writes entries, and once guests are only up until the host is down.
bool Machine::Impl::entries_are_kept() const {
    return drain_ || (last_run_ && last_run_->kind == RunKind::drain &&
                      last_run_->state == RunState::finished && host_goes_down(last_run_->trigger));
}

/// An entry is settled as well when its guest was started by somebody else, or by a run that is
/// over. An event is only the reason to look; of a guest that was up already (woken, or late news
/// of one that a drain has asked to go down) not even that.
void Machine::Impl::settle_entries(Context& ctx, const Event& event,
                                   std::optional<CallKind> returned, bool was_up) {
    if (entries_are_kept())
        return;
    if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        // Of the newest run: its guest may never have been down, and the host go down with it.
        for (const auto& entry : resume_.of_uri(ctx.uri_text(listed->uri)))
            if (const GuestId id{listed->uri, entry.uuid};
                entry.run != last_run_id_ && fleet_.up(id))
                settle_entry(ctx, id);
    } else if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        const auto& id = changed->guest;
        if (!was_up && is_start(changed->what) &&
            resume_.find(ctx.uri_text(id.uri), id.uuid) != nullptr && !(boot_ && boot_->minds(id)))
            looks_.insert(  // whatever else reads it now may have read it before it started
                calls_.submit(ctx.out, Call{.guest = id, .kind = CallKind::probe}, ctx.now));
    } else if (const auto* call = std::get_if<CallReturned>(&event)) {
        // Not what a drain has read: of a guest that it failed to stop in time, and that may go
        // yet.
        const bool tells = returned == CallKind::start || looks_.contains(call->id);
        if (tells && call->observed && is_up(*call->observed))
            settle_entry(ctx, call->guest);
    }
}

void Machine::Impl::settle_entry(Context& ctx, const GuestId& id) {
    if (boot_ && boot_->minds(id))
        return;
    resume_.drop(ctx.out, ctx.uri_text(id.uri), id.uuid);
    if (const auto* guest = fleet_.find(id); guest != nullptr && guest->info.remembered)
        calls_.submit(ctx.out, Call{.guest = id, .kind = CallKind::forget}, ctx.now);
}

void Machine::Impl::step(Outbox& out, const Event& event, TimePoint now) {
    std::optional<CallKind> returned;
    if (const auto* call = std::get_if<CallReturned>(&event)) {
        const auto known = calls_.finish(call->id);
        if (!known)
            return;  // abandoned: whatever it says is history
        returned = known->kind;
    }
    const auto* changed = std::get_if<GuestChanged>(&event);
    const bool was_up = changed != nullptr && is_active(fleet_.state(changed->guest));
    take_in(event, now);
    auto ctx = context(out, now);  // with the policy that may just have come
    ctx.returned = returned;
    look_at_defined(ctx, event);
    forget_left(event);
    if (const auto* requested = std::get_if<RunRequested>(&event))
        request(ctx, *requested);
    else if (const auto* cancelled = std::get_if<CancelRequested>(&event))
        cancel(ctx, cancelled->run);
    else if (drain_)
        drain_->handle(ctx, event);
    else if (boot_)
        boot_->handle(ctx, event);
    if (parked_)
        parked_->keep_up(event);
    clocks_.handle(ctx, event);
    settle_entries(ctx, event, returned, was_up);
    if (const auto* call = std::get_if<CallReturned>(&event))
        looks_.erase(call->id);
    if (drain_)
        drain_->advance(ctx);
    if (boot_)
        boot_->advance(ctx);
    clocks_.advance(ctx);
    retire_runs(ctx);
}

void Machine::Impl::retire_runs(Context& ctx) {
    if (drain_ && drain_->over()) {
        last_run_ = drain_->record();
        drain_.reset();
    }
    if (boot_ && boot_->over()) {
        last_run_ = boot_->record();
        boot_.reset();
    }
    if (parked_ && !boot_ && !drain_) {
        boot_ = std::move(parked_);
        boot_->go_on(ctx);
        boot_->advance(ctx);
    }
}

void Machine::Impl::end_parked(Context& ctx) {
    if (parked_)
        parked_->stop(ctx, RunState::superseded, "another run takes over");
    parked_.reset();
}

void Machine::Impl::request(Context& ctx, const RunRequested& event) {
    if (event.kind == RunKind::boot) {
        if (refused(event))
            return;  // before it came here: Machine::refusal()
        if (boot_)
            parked_ = std::move(boot_);
        auto record = new_run(ctx, RunKind::boot, event.trigger);
        record.selection = event.selection;
        return begin_boot(ctx, std::move(record), {});
    }
    auto record = new_run(ctx, RunKind::drain, event.trigger);
    record.selection = event.selection;
    if (event.selection.empty() || host_goes_down(event.trigger)) {
        end_parked(ctx);
        clocks_.give_up();
    }
    left_.clear();
    if (boot_ && !parked_ && boot_->idle() && !host_goes_down(event.trigger) &&
        !event.selection.empty()) {
        parked_ = std::move(boot_);
    } else if (boot_) {
        left_ = boot_->unfinished(ctx);
        boot_->stop(ctx, RunState::superseded, "a drain run takes over");
        last_run_ = boot_->record();
        boot_.reset();
    }
    auto deadline = event.deadline;
    if (drain_) {
        // The host goes down already, for a reason with a clock of its own (a battery): the new
        // request does not wind it back.
        if (!deadline && host_goes_down(drain_->record().trigger))
            deadline = std::max(drain_->record().deadline - ctx.now, Duration::zero());
        drain_->hand_over(ctx);
        last_run_ = drain_->record();
    }
    drain_ = std::make_unique<DrainRun>(std::move(record), deadline);
    drain_->begin(ctx);
}

std::optional<std::string> Machine::Impl::refused(const RunRequested& request) const {
    // The host goes down, whoever else wanted what: that drain takes over.
    const bool takes_over = request.kind == RunKind::drain && host_goes_down(request.trigger);
    if (drain_ && !(takes_over && !host_goes_down(drain_->record().trigger)))
        return "drain run " + std::to_string(drain_->record().id) + " is under way";
    // One that only waits lets another one by, of guests that somebody names.
    const bool lets_by = !request.selection.empty() && !parked_ && boot_ && boot_->idle();
    if (request.kind == RunKind::boot && boot_ && !lets_by)
        return "boot run " + std::to_string(boot_->record().id) + " is under way";
    // It would end the boot run, and with it the way up of every guest it is not about.
    if (request.kind == RunKind::drain && boot_ && !takes_over && !request.selection.empty() &&
        !boot_->idle())
        return "boot run " + std::to_string(boot_->record().id) +
               " is under way: wait for its end or cancel it first; a drain of all guests takes "
               "its place";
    return std::nullopt;
}

/// Those on the resume list that this drain has put there.
std::map<GuestId, std::string> Machine::Impl::waiting_since(RunId run) const {
    std::map<GuestId, std::string> guests;
    for (const auto& entry : resume_.all())
        if (const auto uri = fleet_.uri_id(entry.uri); uri && entry.run == run && !entry.transient)
            guests.emplace(GuestId{*uri, entry.uuid}, entry.name);
    return guests;
}

void Machine::Impl::cancel(Context& ctx, RunId run) {
    if (boot_ && (run == 0 || run == boot_->record().id))
        boot_->stop(ctx, RunState::cancelled, "cancelled");
    std::map<GuestId, std::string> touched;
    if (drain_ && (run == 0 || run == drain_->record().id)) {
        touched = drain_->touched(ctx);
        drain_->cancel(ctx);
    } else if (!drain_ && !boot_ && run != 0) {
        touched = waiting_since(run);
    } else {
        return;
    }
    touched.merge(left_);  // what the boot run before it had not come to
    left_.clear();
    if (touched.empty())
        return;
    auto record = new_run(ctx, RunKind::boot, Trigger::manual);
    std::vector<GuestId> only;
    for (const auto& [id, name] : touched) {
        only.push_back(id);
        // By name as well, so that a later life of guestd can go on with exactly these.
        record.selection.push_back(glob_escape(name));
    }
    begin_boot(ctx, std::move(record), std::move(only));
}

Machine::Machine(std::string boot_id, std::vector<std::string> uris,
                 std::shared_ptr<const PolicySource> policy)
    : impl_(std::make_unique<Impl>(std::move(boot_id), std::move(uris), std::move(policy))) {}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;

Outbox Machine::restore(const Restored& restored, bool safe_boot, TimePoint now) {
    Outbox out;
    impl_->restore(out, restored, safe_boot, now);
    return out;
}

Outbox Machine::step(const Event& event, TimePoint now) {
    Outbox out;
    impl_->step(out, event, now);
    return out;
}

TimePoint Machine::next_deadline() const {
    auto next = impl_->clocks_.next_deadline();
    if (impl_->boot_)
        next = std::min(next, impl_->boot_->next_deadline());
    if (impl_->drain_)
        next = std::min(next, impl_->drain_->next_deadline());
    return next;
}

std::optional<RunProgress> Machine::active_run() const {
    if (impl_->drain_)
        return impl_->drain_->progress();
    if (impl_->boot_)
        return impl_->boot_->progress();
    return std::nullopt;
}

RunId Machine::active_run_id() const {
    if (impl_->drain_)
        return impl_->drain_->record().id;
    return impl_->boot_ ? impl_->boot_->record().id : 0;
}

std::optional<RunRecord> Machine::last_run() const {
    return impl_->last_run_;
}

std::vector<GuestProgress> Machine::progress() const {
    if (impl_->drain_)
        return impl_->drain_->guests();
    if (impl_->boot_)
        return impl_->boot_->guests();
    return {};
}

std::vector<ResumeEntry> Machine::resume_list() const {
    return impl_->resume_.all();
}

std::vector<Machine::UriView> Machine::uris() const {
    std::vector<UriView> views;
    for (std::size_t i = 0; i < impl_->fleet_.uris().size(); ++i) {
        const auto& state = impl_->fleet_.uris()[i];
        UriView view{state.uri, state.listed, state.reason, state.since, {}};
        for (const auto* guest : impl_->fleet_.guests(static_cast<UriId>(i)))
            view.guests.push_back(&guest->info);
        views.push_back(std::move(view));
    }
    return views;
}

std::optional<std::string> Machine::refusal(const RunRequested& request) const {
    return impl_->refused(request);
}

Result<bool> Machine::remember(const std::string& uri, const Uuid& uuid, Outbox& out) {
    const auto id = impl_->fleet_.uri_id(uri);
    if (!id)
        return fail(ErrorCode::invalid, "guestd does not look after " + uri);
    const auto* guest = impl_->fleet_.find(GuestId{*id, uuid});
    if (guest == nullptr && impl_->fleet_.uri(*id).listed)
        return fail(ErrorCode::invalid, uri + " has no guest " + uuid.str());
    if (impl_->resume_.find(uri, uuid) != nullptr ||
        (guest != nullptr && is_active(guest->info.state)))
        return false;
    ResumeEntry entry{.uri = uri, .uuid = uuid};
    if (guest != nullptr) {
        entry.name = guest->info.name;
        entry.expect_restore = guest->info.managed_save;
    }
    impl_->resume_.put(out, entry);
    return true;
}

bool Machine::forget(const std::string& uri, const Uuid& uuid, Outbox& out) {
    return impl_->resume_.drop(out, uri, uuid);
}

}  // namespace guestd
