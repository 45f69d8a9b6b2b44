// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/hypervisor.hpp"

#include <cassert>
#include <utility>

#include "libvirt/autostart_monitor.hpp"
#include "libvirt/call_pools.hpp"
#include "libvirt/context.hpp"
#include "libvirt/control.hpp"
#include "libvirt/errors.hpp"
#include "libvirt/event_thread.hpp"
#include "libvirt/io_monitor.hpp"
#include "libvirt/need_monitor.hpp"
#include "libvirt/save_monitor.hpp"

namespace guestd::libvirt {

namespace {

/// Closing a connection in order takes milliseconds; a libvirtd that does not answer is not waited
/// for.
constexpr Duration kCloseTime = std::chrono::milliseconds{500};

std::filesystem::path at(const std::vector<std::string>& folders, std::size_t index) {
    return index < folders.size() ? folders[index] : "";
}

std::shared_ptr<UriContext> make_context(const Options& options, std::size_t index,
                                         EventSink sink) {
    auto context = std::make_shared<UriContext>(static_cast<UriId>(index), options.uris[index],
                                                std::move(sink));
    context->read_metadata = options.read_metadata;
    context->idle_time = options.idle_time;
    context->progress_interval = options.progress_interval;
    context->io_interval = options.io_interval;
    context->need_interval = options.need_interval;
    context->autostart_interval = options.autostart_interval;
    const auto folder = at(options.save_folders, index);
    context->space = std::make_shared<SaveSpace>(
        folder.empty() ? save_folder_of(options.uris[index]) : std::optional{folder},
        options.free_space ? options.free_space : free_space);
    context->threads = std::make_shared<ThreadGroup>();
    return context;
}

}  // namespace

/// Everything of one URI. The parts know each other by weak pointers where the way back is needed,
/// so that threads keep alive just what they use.
struct LibvirtHypervisor::Link {
    Link(const Options& options, std::size_t index, EventSink sink)
        : context(make_context(options, index, std::move(sink))),
          pools(std::make_shared<CallPools>(context, options.long_calls, options.short_is_slow)),
          saves(std::make_shared<SaveMonitor>(context)),
          io(std::make_shared<IoMonitor>(context)),
          storage(std::make_shared<NeedMonitor>(context, NeedKind::pool)),
          networks(std::make_shared<NeedMonitor>(context, NeedKind::network)),
          autostart(
              std::make_shared<AutostartMonitor>(context, at(options.autostart_folders, index))),
          control(std::make_shared<Control>(
              context, pools, saves, autostart,
              Control::Settings{.connect_timeout = options.connect_timeout,
                                .short_is_slow = options.short_is_slow,
                                .long_calls = options.long_calls})) {
        context->answered = [weak = std::weak_ptr{control}] {
            if (const auto alive = weak.lock()) {
                alive->hint();
            }
        };
        context->listed = [pool = std::weak_ptr{storage}, network = std::weak_ptr{networks}] {
            for (const auto& each : {pool.lock(), network.lock()}) {
                if (each) {
                    each->look("");
                }
            }
        };
        context->around = [weak = std::weak_ptr{saves}, hook = options.around_call](
                              const Call& call, bool begin) {
            if (hook) {
                hook(call, begin);
            }
            const auto monitor = call.kind == CallKind::save ? weak.lock() : nullptr;
            if (monitor) {
                begin ? monitor->watch(call.guest.uuid) : monitor->unwatch(call.guest.uuid);
            }
        };
    }

    std::shared_ptr<UriContext> context;
    std::shared_ptr<CallPools> pools;
    std::shared_ptr<SaveMonitor> saves;
    std::shared_ptr<IoMonitor> io;
    std::shared_ptr<NeedMonitor> storage;
    std::shared_ptr<NeedMonitor> networks;
    std::shared_ptr<AutostartMonitor> autostart;
    std::shared_ptr<Control> control;
};

LibvirtHypervisor::LibvirtHypervisor(const Options& options, const EventSink& sink)
    : crowd_(options.crowd) {
    silence_errors();
    EventThread::instance();
    for (std::size_t i = 0; i < options.uris.size(); ++i) {
        links_.push_back(std::make_unique<Link>(options, i, sink));
    }
}

LibvirtHypervisor::~LibvirtHypervisor() {
    stop_quickly();
    const auto limit = std::chrono::steady_clock::now() + kCloseTime;
    for (const auto& each : links_) {
        const auto left = limit - std::chrono::steady_clock::now();
        each->context->threads->wait_gone(std::chrono::duration_cast<Duration>(left));
    }
}

void LibvirtHypervisor::start() {
    for (const auto& each : links_) {
        if (!each->control->start()) {
            each->context->outlet.lost("the system gives no more threads");
        }
    }
}

void LibvirtHypervisor::submit(const Call& call) {
    auto& to = link(call.guest.uri);
    if (to.context->outlet.answer(call)) {
        return;
    }
    if (to.pools->submit(call)) {
        to.control->mind_waiting();
    }
}

void LibvirtHypervisor::expect_drain() {
    for (const auto& each : links_) {
        const auto active = each->context->outlet.active();
        if (active >= crowd_ && each->control->state().listed) {
            each->pools->expect_asks(active);
        }
    }
}

void LibvirtHypervisor::expect_end() {
    for (const auto& each : links_) {
        each->autostart->rest();
    }
}

void LibvirtHypervisor::abandon(const AbandonCall& call) {
    link(call.guest.uri).pools->abandon(call.id);
}

void LibvirtHypervisor::list_autostart(const ListAutostart& command) {
    link(command.uri).autostart->look(true);
}

void LibvirtHypervisor::watch(const Watch& watch) {
    auto& to = link(watch.guest.uri);
    if (const auto* need = std::get_if<Need>(&watch.what)) {
        assert(need->kind == NeedKind::pool || need->kind == NeedKind::network);
        (need->kind == NeedKind::pool ? to.storage : to.networks)->watch(watch.id, need->target);
    } else {
        to.io->watch(watch.id, watch.guest.uuid);
    }
}

void LibvirtHypervisor::unwatch(WatchId id) {
    for (const auto& each : links_) {
        each->io->unwatch(id);
        each->storage->unwatch(id);
        each->networks->unwatch(id);
    }
}

std::vector<UriStatus> LibvirtHypervisor::status() const {
    std::vector<UriStatus> all;
    for (const auto& each : links_) {
        const auto state = each->control->state();
        const auto counts = each->pools->counts();
        all.push_back({.uri = each->context->uri,
                       .listed = state.listed,
                       .reason = state.reason,
                       .attempts = state.attempts,
                       .workers = counts.workers,
                       .waiting = counts.waiting,
                       .given_up = counts.given_up});
    }
    return all;
}

void LibvirtHypervisor::stop_quickly() noexcept {
    for (const auto& each : links_) {
        each->context->outlet.close();
        each->control->stop();
        each->pools->stop();
        each->saves->stop();
        each->io->stop();
        each->storage->stop();
        each->networks->stop();
        each->autostart->stop();
    }
}

void LibvirtHypervisor::request_progress(bool wanted) {
    for (const auto& each : links_) {
        each->saves->enable(wanted);
    }
}

}  // namespace guestd::libvirt
