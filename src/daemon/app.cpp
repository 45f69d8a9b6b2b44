// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/app.hpp"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <type_traits>
#include <utility>

#include "config/user_sources.hpp"
#include "daemon/bus_facade.hpp"
#include "daemon/descriptors.hpp"
#include "daemon/fleet_warnings.hpp"
#include "daemon/network.hpp"
#include "daemon/status_text.hpp"
#include "systemd/host.hpp"
#include "systemd/log.hpp"
#include "systemd/message_ids.hpp"
#include "takeover/conflicts.hpp"
#include "takeover/drivers.hpp"

namespace guestd::daemon {
namespace {

namespace ids = systemd::message_ids;
using systemd::LogLevel;

/// STATUS= lines come at most this often: each is a datagram to systemd and, while the host goes
/// down, a line on the console.
constexpr Duration kStatusInterval = 1s;
/// systemd waits as long before it says that it waits.
constexpr Duration kConsoleInterval = 5s;
/// A bus daemon that starts beside us answers within this; whoever waits for guestd waits no longer
/// for a bus that hangs.
constexpr Duration kBusPatience = 2s;

/// Where libvirt keeps a link for each guest that is flagged with autostart; "" = not on this host,
/// or nobody knows.
std::string autostart_folder_of(const std::string& uri) {
    if (const auto* driver = takeover::driver_of(uri))
        return takeover::autostart_folder_of(*driver, "");
    const std::filesystem::path ours = config::user_config_folder();
    return uri == "qemu:///session" && !ours.empty() ? ours.parent_path() / "libvirt/qemu/autostart"
                                                     : std::filesystem::path{};
}

}  // namespace

Result<std::unique_ptr<App>> App::create(const Options& options) {
    std::unique_ptr<App> app{new App{options}};
    if (auto done = app->set_up(); !done)
        return tl::unexpected<Error>{done.error()};
    return app;
}

App::App(Options options) : options_(std::move(options)), marks_(options_.runtime_dir) {}

App::~App() = default;

Result<void> App::set_up() {
    auto id = systemd::boot_id();
    if (!id)
        return tl::unexpected<Error>{id.error()};
    boot_id_ = std::move(*id);
    if (auto done = set_up_loop(); !done)
        return done;
    return set_up_state();
}

Result<void> App::set_up_loop() {
    auto loop = systemd::Loop::create();
    if (!loop)
        return tl::unexpected<Error>{loop.error()};
    loop_ = std::move(*loop);
    loop_->on_fault([](const char* source, const char* what) {
        log_line(LogLevel::critical, ids::kFault, std::string{source} + ": " + what);
    });
    // Before any thread is made: they inherit the blocked signals.
    if (auto done = set_up_signals(); !done)
        return done;
    auto inbox = systemd::Inbox::create(*loop_, [this](const std::vector<Event>& events) {
        for (const auto& event : events)
            feed(event);
    });
    if (!inbox)
        return tl::unexpected<Error>{inbox.error()};
    inbox_ = std::move(*inbox);
    const auto add_time = [this](systemd::TimeSource& timer, const char* description,
                                 std::function<void()> callback) -> Result<void> {
        auto source = loop_->add_time(kNever, description, std::move(callback));
        if (!source)
            return tl::unexpected<Error>{source.error()};
        timer = std::move(*source);
        return {};
    };
    return add_time(deadline_, "next deadline", [this] { feed(TimeElapsed{}); })
        .and_then([&] { return add_time(status_timer_, "status", [this] { refresh_status(); }); })
        .and_then([&] { return add_time(ready_by_, "patience", [this] { tell_ready(); }); })
        .and_then([&] {
            return add_time(announced_look_, "announced", [this] { look_whether_it_goes_down(); });
        })
        .and_then(
            [&] { return add_time(renew_stand_by_, "stand-by", [this] { renew_stand_by(); }); })
        .and_then([&] { return loop_->set_watchdog(); });
}

Result<void> App::set_up_signals() {
    const auto add = [this](int signal, const char* description,
                            std::function<void()> callback) -> Result<void> {
        auto source = loop_->add_signal(signal, description, std::move(callback));
        if (!source)
            return tl::unexpected<Error>{source.error()};
        signals_.push_back(std::move(*source));
        return {};
    };
    return add(SIGTERM, "SIGTERM", [this] { stop_requested(); })
        .and_then([&] { return add(SIGINT, "SIGINT", [this] { stop_requested(); }); })
        .and_then([&] {
            return add(SIGHUP, "SIGHUP", [this] { [[maybe_unused]] const auto done = reload(); });
        });
}

Result<void> App::set_up_state() {
    auto opened = store::Store::open(options_.state_dir, boot_id_, inbox_->sink());
    if (!opened)
        return tl::unexpected<Error>{opened.error()};
    store_ = std::move(opened->store);
    for (auto& remark : opened->remarks)
        log_line(LogLevel::warning, ids::kStoreRemark, std::move(remark));
    auto history = HistoryReader::create(*loop_, options_.state_dir);
    if (!history)
        return tl::unexpected<Error>{history.error()};
    history_ = std::move(*history);

    auto settings = load_settings(options_, store_->last_good_config());
    config_ = std::move(settings.config);
    degraded_ = std::move(settings.degraded);
    take_warnings(std::move(settings.warnings));
    tell_warnings(settings.problems);
    if (degraded_.empty())
        store_->write_config(config_->bundle());
    set_up_machine(opened->restored);
    return {};
}

/// Those of the configuration, and what the host makes of it.
void App::take_warnings(std::vector<std::string> warnings) {
    warnings_ = std::move(warnings);
    std::ranges::move(takeover::conflicts(*config_), std::back_inserter(warnings_));
    std::ranges::move(network_warnings(*config_, options_), std::back_inserter(warnings_));
    std::ranges::move(descriptor_warnings(config_->daemon().uris.size()),
                      std::back_inserter(warnings_));
}

void App::tell_warnings(const std::vector<std::string>& problems) {
    for (const auto& problem : problems)
        log_line(LogLevel::error, ids::kConfigRefused, problem);
    for (const auto& warning : warnings_)
        log_line(LogLevel::warning, ids::kRemark, warning);
    if (!degraded_.empty())
        log_line(LogLevel::error, ids::kDegraded, degraded_);
}

void App::set_up_machine(const Restored& restored) {
    const auto& uris = config_->daemon().uris;
    machine_ = std::make_unique<Machine>(boot_id_, uris, config_);
    std::vector<std::string> folders;
    std::ranges::transform(uris, std::back_inserter(folders), autostart_folder_of);
    hypervisor_ = std::make_unique<libvirt::LibvirtHypervisor>(
        libvirt::Options{.uris = uris,
                         .connect_timeout = config_->daemon().connect_timeout,
                         .long_calls = config_->daemon().max_workers - libvirt::kFreeWorkers,
                         .read_metadata = config_->daemon().metadata,
                         .autostart_folders = std::move(folders)},
        inbox_->sink());
    sensors_ = std::make_unique<sensors::SystemSensors>(*loop_, inbox_->sink());
    facade_ = std::make_unique<BusFacade>(*this);
    if (options_.bus != BusChoice::none)
        bus_ = std::make_unique<bus::Server>(
            loop_->handle(), *facade_,
            [this](const std::string& text) {
                log_line(LogLevel::info, ids::kRemark, text);
                tell_ready();
            },
            options_.bus == BusChoice::user ? bus::Bus::user : bus::Bus::system);
    announcer_ = std::make_unique<Announcer>(uris, bus_.get());
    links_.emplace(uris);
    if (safe_boot())
        log_line(LogLevel::warning, ids::kRemark,
                 "safe boot: no guest is started, the resume list is kept");
    auto known = restored;
    known.known_uris = marks_.lines(Marks::kUris);
    known.new_boot = marks_.has(Marks::kNewBoot) && !options_.finish_drain;
    known.boot_run_done = !known.new_boot && (known.boot_run_done || marks_.has(Marks::kBootRun));
    execute(machine_->restore(known, safe_boot(), now()));
    if (options_.finish_drain)
        return;
    // It was started for another guestd than this one.
    if (!known.new_boot && !options_.user && std::getenv("NOTIFY_SOCKET") != nullptr)
        renew_stand_by_.arm(now() + kRenewAfter);
    marks_.clear(Marks::kNewBoot);
    marks_.clear(Marks::kDrained);
    if (const auto announced = marks_.lines(Marks::kAnnounced); !announced.empty()) {
        prepared_ = static_cast<RunId>(std::strtoul(announced.front().c_str(), nullptr, 10));
        announced_look_.arm(now());
    }
}

int App::run() {
    hypervisor_->start();
    log_line(LogLevel::info, ids::kStarted, "guestd " GUESTD_VERSION " has started");
    running_ = true;
    // `systemctl start guestd && guestctl …` must find it; a bus that is not there is no condition.
    if (!bus_ || bus_->settled())
        tell_ready();
    else
        ready_by_.arm(now() + kBusPatience);
    after_step();
    const int code = loop_->run();
    hypervisor_->stop_quickly();
    return code < 0 ? kExitFault : code;
}

/// Once. The first word about the bus may come before there is anything to be ready for, or when
/// guestd is to stop already.
void App::tell_ready() {
    if (!running_ || stopping_ || std::exchange(ready_told_, true))
        return;
    ready_by_.disarm();
    supervisor_.ready();
}

void App::feed(const Event& event) {
    links_->heard(event);
    // While the run is planned and stored, which its calls wait for.
    if (const auto* run = std::get_if<RunRequested>(&event);
        run && run->kind == RunKind::drain && run->selection.empty()) {
        hypervisor_->expect_drain();
        if (host_goes_down(run->trigger))
            hypervisor_->expect_end();
    }
    execute(machine_->step(event, now()));
    facade_->heard(event);
    note_marks(event);
    after_step();
}

void App::execute(Outbox commands) {
    for (auto& command : commands)
        carry_out(command);
}

void App::carry_out(Command& command) {
    std::visit(
        [this](auto& what) {
            using T = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<T, Call>) {
                hypervisor_->submit(what);
            } else if constexpr (std::is_same_v<T, AbandonCall>) {
                hypervisor_->abandon(what);
            } else if constexpr (std::is_same_v<T, ListAutostart>) {
                hypervisor_->list_autostart(what);
            } else if constexpr (std::is_same_v<T, Watch>) {
                carry_out_watch(what);
            } else if constexpr (std::is_same_v<T, Unwatch>) {
                hypervisor_->unwatch(what.id);
                sensors_->unwatch(what.id);
            } else if constexpr (std::is_same_v<T, WatchHost>) {
                sensors_->watch_host(what.wanted);
            } else if constexpr (std::is_same_v<T, Notice>) {
                // Only that one tells of the run; its record may list thousands of guests.
                std::optional<RunRecord> run;
                if (what.kind == NoticeKind::run_started)
                    if (const auto active = machine_->active_run())
                        run = active->run;
                announcer_->announce(what, run);
            } else {
                if constexpr (std::is_same_v<T, StoreRun> || std::is_same_v<T, StoreEntries>)
                    dates_.stamp(what);
                if constexpr (std::is_same_v<T, StoreRunEnd>)
                    end_of_run_ = what.id;
                if constexpr (requires(LastRun & last) { last.heard(what); })
                    facade_->last_run().heard(what);
                store_->write(what);
            }
        },
        command);
}

/// To whoever can look at it.
void App::carry_out_watch(const Watch& watch) {
    const auto* need = std::get_if<Need>(&watch.what);
    const auto* probe = std::get_if<Probe>(&watch.what);
    const bool of_libvirt =
        (need != nullptr && (need->kind == NeedKind::pool || need->kind == NeedKind::network)) ||
        (probe != nullptr && probe->kind == ProbeKind::io_settle);
    if (of_libvirt)
        hypervisor_->watch(watch);
    else
        sensors_->watch(watch);
}

void App::after_step() {
    deadline_.arm(machine_->next_deadline());
    if (bus_) {
        bus_->progress_changed();
        bus_->status_changed();
    }
    if (draining_ && machine_->active_run_id() == 0) {
        if (!drain_is_stored())
            return;
        const auto last = machine_->last_run();
        const bool clean = (!last || last->clean) && prepared_clean_;
        if (console_ && last)
            console_->say(clean ? "all guests are down"
                                : "not all guests went down as they should: see guestctl history "
                                  "after the boot");
        marks_.set(host_goes_down_ ? Marks::kDrained : Marks::kStopped);
        const int unclean = host_goes_down_ ? kExitUnclean : kExitFault;
        return leave(clean ? kExitOk : unclean);
    }
    if (!std::exchange(status_due_, true))
        status_timer_.arm(status_shown_ + kStatusInterval);
}

/// Once the whole fleet is known: a slip in a guest's name is one that nobody would see.
void App::tell_unmatched() {
    if (unmatched_told_ || !std::ranges::all_of(machine_->uris(), &Machine::UriView::listed))
        return;
    unmatched_told_ = true;
    for (const auto& warning : fleet_warnings(*config_, *machine_))
        log_line(LogLevel::warning, ids::kRemark, warning);
}

/// What lasts as long as the host is up.
void App::note_marks(const Event& event) {
    if (const auto* listed = std::get_if<InventoryListed>(&event)) {
        const auto text = machine_->uris().at(static_cast<std::size_t>(listed->uri)).uri;
        const auto known = marks_.lines(Marks::kUris);
        if (std::ranges::find(known, text) == known.end())
            marks_.add_line(Marks::kUris, text);
        tell_unmatched();
    }
    if (!boot_run_marked_) {
        const auto last = machine_->last_run();
        boot_run_marked_ = last && last->trigger == Trigger::host_boot;
        if (boot_run_marked_)
            marks_.set(Marks::kBootRun);
    }
    if (const auto* stored = std::get_if<Stored>(&event); stored && stored->id == end_of_run_) {
        end_of_run_ = 0;
        if (!draining_)
            malloc_trim(0);  // what the run took, and the start before it
    }
}

/// Follows what happens at a bounded rate, and while a run is active also the time left.
void App::refresh_status() {
    status_due_ = machine_->active_run_id() != 0;
    status_shown_ = now();
    if (status_due_)
        status_timer_.arm(status_shown_ + kStatusInterval);
    auto text = status_text(*machine_, degraded_, now());
    if (text != shown_status_) {
        shown_status_ = std::move(text);
        supervisor_.status(shown_status_);
    }
    tell_console();
    if (draining_)
        extend_stop();
}

void App::tell_console() {
    if (!host_goes_down_ || options_.user)
        return;
    if (!console_)
        console_.emplace();
    const auto text = console_text(*machine_, now());
    if (text.empty() || now() < console_told_ + kConsoleInterval)
        return;
    console_told_ = now();
    console_->say(text);
}

}  // namespace guestd::daemon
