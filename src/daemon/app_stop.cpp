// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How guestd is told what to do, and how it ends.
#include <algorithm>
#include <fstream>
#include <utility>

#include "daemon/app.hpp"
#include "systemd/message_ids.hpp"

namespace guestd::daemon {
namespace {

namespace ids = systemd::message_ids;
using systemd::LogLevel;

/// How much time systemd is asked for at once while the host goes down. It is asked again every
/// second, so that a loop that no longer turns is noticed soon.
constexpr Duration kStopExtension = 30s;
/// After the run's hard deadline the process still has to store and report the result.
constexpr Duration kStopMargin = 10s;
/// Between looks whether a host that was announced to go down still does: a safety net.
constexpr Duration kAnnouncedLook = 10s;

bool kernel_says_safe_boot() {
    std::ifstream file{"/proc/cmdline"};
    std::string word;
    while (file >> word)
        if (word == "guestd.boot=0")
            return true;
    return false;
}

}  // namespace

bool App::safe_boot() const {
    return options_.safe_boot || options_.finish_drain || marks_.has(Marks::kSafeBoot) ||
           kernel_says_safe_boot();
}

void App::stop_requested() {
    if (std::exchange(stopping_, true)) {
        log_line(LogLevel::info, ids::kStopping, "already stopping");
        return;
    }
    ready_by_.disarm();
    announced_look_.disarm();
    supervisor_.stopping();
    switch (config_->daemon().on_stop) {
        case OnStop::leave:
            log_line(LogLevel::info, ids::kStopping, "no guest is touched (daemon.on_stop)");
            return leave(kExitOk);
        case OnStop::drain:
        case OnStop::automatic:
            const auto told = [this](const systemd::HostFate& fate) { host_answered(fate); };
            fate_ = options_.user ? systemd::FateQuery::ask_user_manager(*loop_, told)
                                  : systemd::FateQuery::ask(*loop_, told);
    }
}

void App::host_answered(const systemd::HostFate& fate) {
    if (const auto* down = std::get_if<systemd::GoingDown>(&fate)) {
        log_line(LogLevel::info, ids::kStopping,
                 "the host goes down (" + std::string{to_string(down->trigger)} + ")");
        return drain_for(down->trigger);
    }
    if (const auto* unknown = std::get_if<systemd::CannotTell>(&fate)) {
        log_line(LogLevel::warning, ids::kStopping,
                 "systemd could not be asked whether the host goes down (" + unknown->reason +
                     "): draining, to be safe");
        return drain_for(options_.user ? Trigger::session_end : Trigger::poweroff);
    }
    if (config_->daemon().on_stop == OnStop::drain)
        return drain_for(Trigger::manual);
    log_line(LogLevel::info, ids::kStopping,
             "the host stays up: no guest is touched" +
                 std::string{machine_->active_run() ? ", the next start continues the run" : ""});
    marks_.set(Marks::kStopped);
    leave(kExitOk);
}

/// What finishes a drain for us has the arguments and the sandbox of its own start. Not while it
/// may be needed.
void App::renew_stand_by() {
    if (stopping_ || prepared_ != 0 || !bus_)
        return;
    if (!bus_->connected())
        return renew_stand_by_.arm(now() + kRenewAfter);
    bus_->try_restart("guestd-finish.service");
}

bool App::nobody_runs() const {
    return std::ranges::all_of(machine_->uris(), [](const Machine::UriView& uri) {
        return uri.listed && std::ranges::none_of(uri.guests, [](const GuestInfo* guest) {
                   return is_active(guest->state);
               });
    });
}

void App::begin_last_drain(bool host_goes_down) {
    draining_ = true;
    host_goes_down_ = host_goes_down;
    marks_.clear(Marks::kAnnounced);
    // A soft reboot keeps the folder, and is a new boot all the same.
    if (host_goes_down) {
        marks_.clear(Marks::kSafeBoot);
        marks_.clear(Marks::kBootRun);
    }
}

void App::drain_for(Trigger trigger) {
    begin_last_drain(host_goes_down(trigger));
    const auto run = machine_->active_run();
    const auto last = machine_->last_run();
    const bool goes_on = run && run->run.id == prepared_;
    const bool is_over = !run && last && last->id == prepared_;
    prepared_clean_ = !is_over || last->clean;
    if (goes_on || (is_over && nobody_runs()))
        after_step();
    else
        feed(RunRequested{.kind = RunKind::drain, .trigger = trigger});
    extend_stop();
}

void App::host_prepares(bool down, const std::string& way) {
    if (stopping_)
        return;
    if (!down)
        return host_stays_up();
    const auto trigger = parse_trigger(way);
    if (config_->daemon().on_stop == OnStop::leave || !trigger || !host_goes_down(*trigger))
        return;
    if (!config_->daemon().early_drain) {
        log_line(LogLevel::info, ids::kStopping,
                 "the host is about to go down (" + way +
                     "); the drain waits for the stop (daemon.early_drain = false)");
        return;
    }
    log_line(LogLevel::info, ids::kStopping, "the host is about to go down (" + way + ")");
    if (prepared_ != 0 && !machine_->active_run() && nobody_runs())
        return;  // said once more, and done already
    // Refused, when somebody drains already for a host that goes down.
    const auto run = request({.kind = RunKind::drain, .trigger = *trigger});
    if (!run)
        return;
    prepared_ = *run;
    marks_.clear(Marks::kAnnounced);
    marks_.add_line(Marks::kAnnounced, std::to_string(prepared_));
    announced_look_.arm(now() + kAnnouncedLook);
}

/// logind may have crashed, or its signal have come while the bus was away: nobody would stop us,
/// and nobody bring the guests back. Who cannot hear logind knows nothing: the delay may be long.
void App::look_whether_it_goes_down() {
    if (stopping_ || prepared_ == 0)
        return;
    fate_ = systemd::FateQuery::ask(*loop_, [this, run = prepared_](const auto& fate) {
        if (stopping_ || prepared_ != run)
            return;
        const auto* up = std::get_if<systemd::StaysUp>(&fate);
        if (up != nullptr && up->logind_told)
            host_stays_up();
        else
            announced_look_.arm(now() + kAnnouncedLook);
    });
}

void App::host_stays_up() {
    const auto run = std::exchange(prepared_, 0);
    announced_look_.disarm();
    marks_.clear(Marks::kAnnounced);
    if (run == 0)
        return;
    const auto before = machine_->active_run_id();
    feed(CancelRequested{run});
    const auto after = machine_->active_run_id();
    const char* what = "nobody is to be brought back";
    if (after != 0)
        what = after != before ? "the guests that were down for it come back"
                               : "another run is under way, nobody else is brought back";
    log_line(LogLevel::warning, ids::kStopping,
             std::string{"the host stays up after all: "} + what);
}

int App::finish_drain(const systemd::HostFate& fate) {
    const auto run = machine_->active_run();
    // Of all guests: one of some was somebody's wish, and the host takes the others along.
    const bool goes_on = run && run->run.kind == RunKind::drain &&
                         host_goes_down(run->run.trigger) && run->run.selection.empty();
    if (!goes_on && config_->daemon().on_stop == OnStop::leave)
        return kExitOk;
    log_line(LogLevel::warning, ids::kStopping,
             "guestd was not there to the end while the host goes down: its drain is finished now");
    hypervisor_->start();
    stopping_ = true;
    if (goes_on) {
        begin_last_drain(true);
        after_step();
    } else {
        const auto* down = std::get_if<systemd::GoingDown>(&fate);
        drain_for(down != nullptr ? down->trigger : Trigger::poweroff);
    }
    extend_stop();
    const int code = loop_->run();
    hypervisor_->stop_quickly();
    return code < 0 ? kExitFault : code;
}

/// The disk may have gigabytes of images to write before it: waited for, but not for ever.
bool App::drain_is_stored() {
    if (end_of_run_ == 0)
        return true;
    if (end_by_ == kNever)
        end_by_ = now() + kStopMargin;
    if (now() >= end_by_) {
        log_line(LogLevel::warning, ids::kStoreRemark, "the result could not be stored in time");
        return true;
    }
    supervisor_.extend_timeout(kStopMargin + kStopMargin);
    deadline_.arm(end_by_);
    return false;
}

/// Only while the run's deadline lies ahead: a run that does not end by it is a bug, and systemd
/// must then be free to go on.
void App::extend_stop() {
    const auto run = machine_->active_run();
    if (run && now() - kStopMargin < run->run.deadline)  // a boot run's is kNever
        supervisor_.extend_timeout(kStopExtension);
}

void App::leave(int code) {
    hypervisor_->stop_quickly();
    loop_->exit(code);
}

Result<RunId> App::request(const RunRequested& request) {
    if (stopping_)
        return fail(ErrorCode::refused, "guestd is stopping");
    if (const auto why = machine_->refusal(request))
        return fail(ErrorCode::refused, *why);
    feed(request);
    if (const auto run = machine_->active_run())
        return run->run.id;
    const auto last = machine_->last_run();
    return last ? last->id : 0;
}

bool App::cancel(RunId run) {
    const auto active = machine_->active_run();
    if (stopping_ || !active || (run != 0 && active->run.id != run))
        return false;
    feed(CancelRequested{run});
    return true;
}

Result<bool> App::remember(const std::string& uri, const Uuid& uuid) {
    Outbox out;
    auto added = machine_->remember(uri, uuid, out);
    execute(std::move(out));
    return added;
}

bool App::forget(const std::string& uri, const Uuid& uuid) {
    Outbox out;
    const bool found = machine_->forget(uri, uuid, out);
    execute(std::move(out));
    return found;
}

/// The end of a reload is told as READY=1: of one in the middle of the start that would be too
/// early, so that one is a part of the start.
Result<void> App::reload() {
    const bool tells = ready_told_ && !stopping_;
    if (tells)
        supervisor_.reloading();
    auto done = read_configuration_again();
    if (tells)
        supervisor_.ready();
    return done;
}

Result<void> App::read_configuration_again() {
    auto settings = load_settings(options_, std::nullopt);
    if (!settings.problems.empty()) {
        for (const auto& problem : settings.problems)
            log_line(LogLevel::error, ids::kConfigRefused, problem);
        return fail(ErrorCode::invalid,
                    "the old configuration stays: " + settings.problems.front());
    }
    const auto& then = config_->daemon();
    const auto& now = settings.config->daemon();
    const auto waits_for_restart = [&](bool changed, const std::string& key) {
        if (changed)
            settings.warnings.push_back("a change of [daemon] " + key +
                                        " takes effect when guestd restarts");
    };
    waits_for_restart(now.uris != then.uris, "uris");
    waits_for_restart(now.max_workers != then.max_workers, "max_workers");
    config_ = std::move(settings.config);
    degraded_.clear();
    take_warnings(std::move(settings.warnings));
    tell_warnings({});
    store_->write_config(config_->bundle());
    feed(PolicyReplaced{config_});
    unmatched_told_ = false;
    tell_unmatched();
    log_line(LogLevel::info, ids::kReloaded, "the configuration was read again");
    return {};
}

}  // namespace guestd::daemon
