// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guestd/machine.hpp"

#include <cassert>
#include <utility>

#include "core/boot_run.hpp"
#include "core/drain_run.hpp"

namespace guestd {

using namespace core;

class Machine::Impl {
public:
    Impl(std::string boot_id, std::vector<std::string> uris,
         std::shared_ptr<const PolicySource> policy)
        : boot_id_(std::move(boot_id)), fleet_(std::move(uris)), policy_(std::move(policy)) {}

    void restore(Outbox& out, const Restored& restored, bool safe_boot, TimePoint now);
    void step(Outbox& out, const Event& event, TimePoint now);

    Context context(Outbox& out, TimePoint now) {
        return Context{fleet_, calls_, resume_, *policy_, last_store_, out, now};
    }

    std::string boot_id_;
    Fleet fleet_;
    Calls calls_;
    ResumeList resume_;
    std::shared_ptr<const PolicySource> policy_;
    std::unique_ptr<BootRun> boot_;
    std::unique_ptr<DrainRun> drain_;
    std::optional<RunRecord> last_run_;
    RunId last_run_id_ = 0;
    StoreId last_store_ = 0;

private:
    void take_in(Context& ctx, const Event& event);
    void request(Context& ctx, const RunRequested& event);
    void cancel(Context& ctx, RunId run);
    void begin_boot(Context& ctx, RunRecord record, std::vector<GuestId> only);
    void drop_entry_of_started(Context& ctx, const GuestChanged& event);
    void retire_runs();
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
    last_run_id_ = restored.last_run;
    auto unfinished = restored.unfinished;
    if (unfinished && unfinished->boot_id != boot_id_) {
        // Its clock is gone, and the host has gone down since: what it left is the resume list.
        unfinished->state = RunState::superseded;
        unfinished->clean = false;
        out.emplace_back(StoreRunEnd{0, *unfinished});
        unfinished.reset();
    }
    if (unfinished && unfinished->kind == RunKind::drain) {
        drain_ = std::make_unique<DrainRun>(*unfinished, restored.unfinished_guests);
        drain_->begin(ctx);
    } else if (unfinished) {
        boot_ = std::make_unique<BootRun>(*unfinished, restored.unfinished_guests);
        boot_->begin(ctx);
    } else if (!restored.boot_run_done && !safe_boot) {
        begin_boot(ctx, new_run(ctx, RunKind::boot, Trigger::host_boot), {});
    }
}

void Machine::Impl::begin_boot(Context& ctx, RunRecord record, std::vector<GuestId> only) {
    boot_ = std::make_unique<BootRun>(std::move(record), std::move(only));
    boot_->begin(ctx);
}

void Machine::Impl::take_in(Context& ctx, const Event& event) {
    if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        fleet_.apply(*listed);
    } else if (const auto* lost = std::get_if<UriLost>(&event)) {
        fleet_.apply(*lost);
    } else if (const auto* changed = std::get_if<GuestChanged>(&event)) {
        fleet_.apply(*changed);
        drop_entry_of_started(ctx, *changed);
    } else if (const auto* agent = std::get_if<AgentChanged>(&event)) {
        fleet_.apply(*agent);
    } else if (const auto* returned = std::get_if<CallReturned>(&event)) {
        if (returned->observed)
            fleet_.observe(returned->guest, *returned->observed);
    } else if (const auto* replaced = std::get_if<PolicyReplaced>(&event)) {
        policy_ = replaced->policy;
    }
}

/// An entry of a guest that somebody else has started is settled, too.
void Machine::Impl::drop_entry_of_started(Context& ctx, const GuestChanged& event) {
    if (drain_ || boot_ || !is_start(event.what))
        return;
    resume_.drop(ctx.out, ctx.uri_text(event.guest.uri), event.guest.uuid);
}

void Machine::Impl::step(Outbox& out, const Event& event, TimePoint now) {
    auto ctx = context(out, now);
    if (const auto* returned = std::get_if<CallReturned>(&event))
        if (!calls_.finish(returned->id))
            return;  // abandoned: whatever it says is history
    take_in(ctx, event);
    // A replaced policy is what the rest of this step must see.
    auto fresh = context(out, now);
    if (const auto* requested = std::get_if<RunRequested>(&event))
        request(fresh, *requested);
    else if (const auto* cancelled = std::get_if<CancelRequested>(&event))
        cancel(fresh, cancelled->run);
    else if (drain_)
        drain_->handle(fresh, event);
    else if (boot_)
        boot_->handle(fresh, event);
    if (drain_)
        drain_->advance(fresh);
    if (boot_)
        boot_->advance(fresh);
    retire_runs();
}

void Machine::Impl::retire_runs() {
    if (drain_ && drain_->over()) {
        last_run_ = drain_->record();
        drain_.reset();
    }
    if (boot_ && boot_->over()) {
        last_run_ = boot_->record();
        boot_.reset();
    }
}

void Machine::Impl::request(Context& ctx, const RunRequested& event) {
    if (event.kind == RunKind::boot) {
        if (boot_ || drain_)
            return;  // refused before it came here: Machine::refusal()
        auto record = new_run(ctx, RunKind::boot, event.trigger);
        record.selection = event.selection;
        return begin_boot(ctx, std::move(record), {});
    }
    auto record = new_run(ctx, RunKind::drain, event.trigger);
    record.selection = event.selection;
    if (boot_) {
        boot_->stop(ctx, RunState::superseded, "a drain run takes over");
        last_run_ = boot_->record();
        boot_.reset();
    }
    if (drain_) {
        drain_->cancel(ctx);
        last_run_ = drain_->record();
    }
    drain_ = std::make_unique<DrainRun>(std::move(record), event.deadline);
    drain_->begin(ctx);
}

void Machine::Impl::cancel(Context& ctx, RunId run) {
    if (boot_ && (run == 0 || run == boot_->record().id))
        boot_->stop(ctx, RunState::cancelled, "cancelled");
    if (!drain_ || (run != 0 && run != drain_->record().id))
        return;
    std::vector<GuestId> stopped;
    for (const auto& guest : drain_->guests())
        if (guest.outcome == Outcome::saved || guest.outcome == Outcome::shut_down ||
            guest.outcome == Outcome::destroyed)
            stopped.push_back(guest.guest);
    drain_->cancel(ctx);
    if (!stopped.empty())
        begin_boot(ctx, new_run(ctx, RunKind::boot, Trigger::manual), std::move(stopped));
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
    auto next = kNever;
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
        UriView view{state.uri, state.listed, state.reason, {}};
        for (const auto* guest : impl_->fleet_.guests(static_cast<UriId>(i)))
            view.guests.push_back(guest->info);
        views.push_back(std::move(view));
    }
    return views;
}

std::optional<std::string> Machine::refusal(const RunRequested& request) const {
    if (impl_->drain_)
        return "drain run " + std::to_string(impl_->drain_->record().id) + " is under way";
    if (request.kind == RunKind::boot && impl_->boot_)
        return "boot run " + std::to_string(impl_->boot_->record().id) + " is under way";
    return std::nullopt;
}

bool Machine::forget(const std::string& uri, const Uuid& uuid, Outbox& out) {
    return impl_->resume_.drop(out, uri, uuid);
}

}  // namespace guestd
