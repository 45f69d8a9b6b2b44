// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/bus_facade.hpp"

#include <algorithm>
#include <utility>

#include "core/order.hpp"
#include "daemon/app.hpp"
#include "systemd/bus_message.hpp"

namespace guestd::daemon {
namespace {

using Progress = std::map<GuestId, GuestProgress>;

Progress progress_by_guest(const Machine& machine) {
    Progress all;
    for (auto& guest : machine.progress())
        all.emplace(guest.guest, std::move(guest));
    return all;
}

bool matches(const std::vector<std::string>& globs, const std::string& name, const Uuid& uuid) {
    return core::selected(globs, name) || std::ranges::find(globs, uuid.str()) != globs.end();
}

void add_progress(bus::GuestView& view, const GuestProgress& progress, RunId run) {
    view.run = run;
    view.phase = progress.outcome == Outcome::pending ? progress.phase : "";
    view.since = progress.since;
    if (progress.phase_deadline != kNever)
        view.step_deadline = progress.phase_deadline;
    view.attempts = progress.attempts;
    view.held_for = progress.held_for;
    view.answer = progress.answer;
    view.bytes_done = progress.done;
    view.bytes_total = progress.total;
    view.outcome = progress.outcome;
    view.cause = progress.cause;
}

bus::GuestView view_of(const std::string& uri, const GuestInfo& info) {
    bus::GuestView view;
    view.uri = uri;
    view.uuid = info.uuid;
    view.name = info.name;
    view.state = info.state;
    view.persistent = info.persistent;
    view.autostart = info.autostart;
    view.managed_save = info.managed_save;
    view.has_agent = info.agent_channel;
    view.memory = info.memory;
    return view;
}

bus::RunView view_of(const RunProgress& progress, const std::vector<GuestProgress>& guests) {
    bus::RunView view{.record = progress.run,
                      .guests = static_cast<unsigned>(progress.total),
                      .done = static_cast<unsigned>(progress.finished)};
    view.unclean = static_cast<unsigned>(std::ranges::count_if(guests, [](const auto& guest) {
        return guest.outcome != Outcome::pending && !is_clean(guest.outcome);
    }));
    return view;
}

/// Runs `read` on the reader's thread, and the reply with what it returned on the loop.
template <class T, class Read>
void ask(HistoryReader& reader, bus::Reply<T> reply, Read read) {
    reader.ask([reply = std::move(reply),
                read = std::move(read)](Result<store::History*> history) -> HistoryReader::Answer {
        auto result = history ? read(**history) : Result<T>{tl::unexpected<Error>{history.error()}};
        return [reply, result = std::move(result)] { reply(result); };
    });
}

}  // namespace

BusFacade::BusFacade(App& app) : app_(app), started_(app.now()) {}

const std::vector<std::string>& ConfigFiles::of(const config::Config& config) {
    if (config.bundle() == bundle_)
        return files_;
    bundle_ = config.bundle();
    files_.clear();
    if (const auto sources = config::open_bundle(bundle_))
        for (const auto& source : sources->list)
            files_.push_back(source.name);
    return files_;
}

bus::RunView BusFacade::active_view(const RunProgress& progress,
                                    const std::vector<GuestProgress>& guests) const {
    auto view = view_of(progress, guests);
    app_.dates().complete(view.record);
    return view;
}

bus::StatusView BusFacade::status() const {
    bus::StatusView view;
    view.version = GUESTD_VERSION;
    view.degraded = app_.degraded();
    view.boot_id = app_.boot_id();
    view.now = app_.now();
    const auto& machine = app_.machine();
    if (const auto run = machine.active_run())
        view.active_run = active_view(*run, machine.progress());
    view.last_run = last_run_.view(machine, app_.history(), view.now);
    if (view.last_run)
        app_.dates().complete(view.last_run->record);
    for (const auto& uri : machine.uris())
        for (const auto* guest : uri.guests) {
            ++view.guests;
            view.running += is_active(guest->state);
        }
    view.resume_entries = static_cast<unsigned>(machine.resume_list().size());
    view.config_files = config_files_.of(app_.config());
    view.warnings = app_.warnings();
    return view;
}

bus::Vitals BusFacade::vitals() const {
    return {app_.degraded(), app_.machine().active_run_id()};
}

void BusFacade::add_warnings(bus::StatusView& view) const {
    std::ranges::copy(fleet_warnings_.of(app_.config(), app_.machine()),
                      std::back_inserter(view.warnings));
}

std::optional<bus::ProgressView> BusFacade::progress() const {
    const auto& machine = app_.machine();
    const auto run = machine.active_run();
    if (!run)
        return std::nullopt;
    auto guests = machine.progress();
    bus::ProgressView view;
    view.run = active_view(*run, guests);
    view.now = app_.now();
    std::erase_if(guests, [&](const auto& guest) {
        view.bytes_done.count += guest.done.count;
        view.bytes_total.count += std::max(guest.total, guest.done).count;
        return guest.outcome != Outcome::pending || guest.phase == "waiting";
    });
    view.active_total = static_cast<unsigned>(guests.size());
    std::ranges::sort(guests, {}, &GuestProgress::since);
    guests.resize(std::min(guests.size(), bus::kProgressGuests));
    const auto uris = machine.uris();
    for (const auto& guest : guests) {
        bus::GuestView active;
        active.uri = uris.at(static_cast<std::size_t>(guest.guest.uri)).uri;
        active.uuid = guest.guest.uuid;
        active.name = guest.name;
        active.state = GuestState::running;
        add_progress(active, guest, run->run.id);
        view.active.push_back(std::move(active));
    }
    return view;
}

std::vector<bus::GuestView> BusFacade::guests(const std::vector<std::string>& globs) const {
    const auto& machine = app_.machine();
    const auto run = machine.active_run();
    const auto progress = progress_by_guest(machine);
    std::vector<bus::GuestView> views;
    const auto uris = machine.uris();
    for (std::size_t i = 0; i < uris.size(); ++i)
        for (const auto* info : uris[i].guests) {
            if (!matches(globs, info->name, info->uuid))
                continue;
            auto view = view_of(uris[i].uri, *info);
            const auto found = progress.find(GuestId{static_cast<UriId>(i), info->uuid});
            if (run && found != progress.end())
                add_progress(view, found->second, run->run.id);
            views.push_back(std::move(view));
        }
    std::ranges::sort(views, [](const auto& a, const auto& b) {
        return std::tie(a.uri, a.name) < std::tie(b.uri, b.name);
    });
    return views;
}

Result<std::vector<bus::MetadataView>> BusFacade::metadata(
    const std::vector<std::string>& globs) const {
    std::vector<bus::MetadataView> views;
    std::size_t bytes = 0;
    for (const auto& uri : app_.machine().uris())
        for (const auto* guest : uri.guests) {
            if (guest->metadata.empty() || !matches(globs, guest->name, guest->uuid))
                continue;
            bytes += guest->metadata.size();
            if (bytes > bus::kMostMetadata)
                return fail(ErrorCode::refused,
                            "the metadata of these guests is too much for one answer");
            views.push_back({uri.uri, guest->uuid, guest->metadata});
        }
    return views;
}

std::vector<bus::UriView> BusFacade::uris() const {
    std::vector<bus::UriView> views;
    const auto links = app_.hypervisor().status();
    const auto uris = app_.machine().uris();
    for (std::size_t i = 0; i < uris.size(); ++i) {
        bus::UriView view{.uri = uris[i].uri, .connected = uris[i].listed};
        view.since = uris[i].since == TimePoint{} ? started_ : uris[i].since;
        view.reason = links[i].reason.empty() ? uris[i].reason : links[i].reason;
        view.attempts = links[i].attempts;
        view.guests = static_cast<unsigned>(uris[i].guests.size());
        for (const auto* guest : uris[i].guests)
            view.running += is_active(guest->state);
        views.push_back(std::move(view));
    }
    return views;
}

std::vector<ResumeEntry> BusFacade::resume_list() const {
    auto entries = app_.machine().resume_list();
    for (auto& entry : entries)
        app_.dates().complete(entry);
    return entries;
}

void BusFacade::runs(unsigned limit, bus::Reply<std::vector<bus::RunView>> reply) {
    using Views = std::vector<bus::RunView>;
    ask<Views>(app_.history(), std::move(reply), [limit](store::History& history) -> Result<Views> {
        auto records = history.runs(limit);
        if (!records)
            return tl::unexpected<Error>{records.error()};
        Views views;
        for (auto& record : *records) {
            auto guests = history.guests(record.id);
            if (!guests)
                return tl::unexpected<Error>{guests.error()};
            views.push_back(view_of(std::move(record), *guests));
        }
        return views;
    });
}

void BusFacade::run_guests(RunId run, bus::Reply<std::vector<RunGuestRecord>> reply) {
    ask<std::vector<RunGuestRecord>>(
        app_.history(), std::move(reply),
        [run](store::History& history) { return history.guests(run); });
}

void BusFacade::run_spans(RunId run, bus::Reply<std::vector<SpanRecord>> reply) {
    ask<std::vector<SpanRecord>>(app_.history(), std::move(reply),
                                 [run](store::History& history) { return history.spans(run); });
}

Result<std::vector<bus::SettingView>> BusFacade::explain(const std::string& guest,
                                                         std::optional<Trigger> trigger) const {
    std::vector<config::Explained> settings;
    config::Problems ignored;
    if (guest.empty()) {
        settings = app_.config().explain(nullptr, trigger);
    } else {
        bool found = false;
        for (const auto& uri : app_.machine().uris())
            for (const auto* info : uri.guests) {
                if (found || (info->name != guest && info->uuid.str() != guest))
                    continue;
                found = true;
                const GuestFacts facts{uri.uri, info->uuid, info->name, info->metadata};
                settings = app_.config().explain(&facts, trigger);
                ignored = app_.config().metadata_problems(facts);
            }
        if (!found)
            return fail(ErrorCode::invalid, "there is no guest " + bus::raw_quote(guest));
    }
    std::vector<bus::SettingView> views;
    views.reserve(settings.size() + ignored.size());
    for (auto& setting : settings)
        views.push_back({std::move(setting.key), std::move(setting.value),
                         config::origin_text(setting.origin)});
    for (const auto& problem : ignored)
        views.push_back({"(ignored)", config::render_problem(problem), "metadata"});
    return views;
}

/// A slip of the pen must not begin a run over the rest of the names, or over nobody. While a URI
/// has not answered nobody knows whose names these are; the run waits for it.
Result<void> BusFacade::all_known(const std::vector<std::string>& globs) const {
    if (!std::ranges::all_of(app_.machine().uris(), &Machine::UriView::listed))
        return {};
    for (const auto& glob : globs)
        if (guests({glob}).empty())
            return fail(ErrorCode::invalid,
                        "there is no guest " + bus::raw_quote(glob) + "; nothing was done");
    return {};
}

Result<RunId> BusFacade::boot(const bus::BootRequest& request) {
    if (auto known = all_known(request.selection); !known)
        return tl::unexpected<Error>{known.error()};
    if (!request.skip)
        return app_.request(RunRequested{.kind = RunKind::boot, .selection = request.selection});
    const auto run = app_.machine().active_run();
    if (!run || run->run.kind != RunKind::boot || !app_.cancel(run->run.id))
        return RunId{0};
    return run->run.id;
}

Result<RunId> BusFacade::drain(const bus::DrainRequest& request) {
    if (auto known = all_known(request.selection); !known)
        return tl::unexpected<Error>{known.error()};
    return app_.request(RunRequested{.kind = RunKind::drain,
                                     .trigger = request.trigger,
                                     .deadline = request.deadline,
                                     .selection = request.selection});
}

Result<bool> BusFacade::cancel(RunId run) {
    return app_.cancel(run);
}

Result<bool> BusFacade::remember(const std::string& uri, const Uuid& uuid) {
    return app_.remember(uri, uuid);
}

Result<bool> BusFacade::forget(const std::string& uri, const Uuid& uuid) {
    return app_.forget(uri, uuid);
}

Result<void> BusFacade::reload() {
    return app_.reload();
}

void BusFacade::host_prepares(bool down, const std::string& way) {
    app_.host_prepares(down, way);
}

}  // namespace guestd::daemon
