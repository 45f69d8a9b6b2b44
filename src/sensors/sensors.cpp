// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/sensors.hpp"

#include <unordered_map>

#include "sensors/exec_probe.hpp"
#include "sensors/host_measure.hpp"
#include "sensors/mounts.hpp"
#include "sensors/paths.hpp"
#include "sensors/tcp_probe.hpp"
#include "sensors/units.hpp"

namespace guestd::sensors {
namespace {

/// A look that hangs costs a thread. Paths on dead file systems are few, and as many as these hang
/// before one that is well has to wait for a thread.
constexpr unsigned kMostLooks = 64;
/// A dead name server costs a thread for half a minute at most, so these do come back.
constexpr unsigned kMostLookups = 16;
/// Of the 1024 file descriptors that a service has by default, libvirt's connections need most. A
/// boot run has fewer guests than this between start and ready.
constexpr unsigned kMostSockets = 64;
/// Programs compete with the guests that they are to judge.
constexpr unsigned kMostPrograms = 8;

}  // namespace

struct SystemSensors::State {
    State(systemd::Loop& event_loop, EventSink told, Options chosen)
        : loop(event_loop),
          sink(std::move(told)),
          options(std::move(chosen)),
          looks(loop, kMostLooks),
          lookups(loop, kMostLookups),
          sockets(loop, kMostSockets),
          programs(loop, kMostPrograms),
          undertaker(loop),
          mounts(loop, options.proc, options.safety),
          link(loop, options.systemd_socket, options.manager_patience) {}

    std::unique_ptr<Sensor> make(const Watch& watch, const Need& need);
    std::unique_ptr<Sensor> make(const Watch& watch, const Probe& probe);

    systemd::Loop& loop;
    EventSink sink;
    Options options;
    Errands looks;
    Errands lookups;
    Places sockets;
    Places programs;
    Undertaker undertaker;
    MountTable mounts;
    ManagerLink link;
    std::unordered_map<WatchId, std::unique_ptr<Sensor>> watches;
    std::unique_ptr<HostMeasure> measure;
};

std::unique_ptr<Sensor> SystemSensors::State::make(const Watch& watch, const Need& need) {
    Reporter reporter{watch.id, sink};
    switch (need.kind) {
        case NeedKind::mount:
            return std::make_unique<MountNeed>(mounts, looks, need.target, std::move(reporter));
        case NeedKind::path:
            return std::make_unique<PathNeed>(
                loop, mounts, looks, need.target,
                PathNeed::Times{options.safety, options.look_patience}, std::move(reporter));
        case NeedKind::unit:
            return std::make_unique<UnitNeed>(loop, link, need.target, options.safety,
                                              std::move(reporter));
        case NeedKind::pool:
        case NeedKind::network:
            return nullptr;
    }
    return nullptr;
}

std::unique_ptr<Sensor> SystemSensors::State::make(const Watch& watch, const Probe& probe) {
    Reporter reporter{watch.id, sink};
    switch (probe.kind) {
        case ProbeKind::tcp:
            return std::make_unique<TcpProbe>(
                loop, lookups, sockets, probe.target, probe.port,
                TcpProbe::Times{options.connect_time, options.connect_pause}, std::move(reporter));
        case ProbeKind::exec:
            return std::make_unique<ExecProbe>(
                loop, undertaker, programs, watch,
                ExecProbe::Times{options.exec_time, options.exec_pause}, std::move(reporter));
        case ProbeKind::running:
        case ProbeKind::agent:
        case ProbeKind::io_settle:
        case ProbeKind::address:
        case ProbeKind::delay:
            return nullptr;
    }
    return nullptr;
}

SystemSensors::SystemSensors(systemd::Loop& loop, EventSink sink, Options options)
    : state_(std::make_unique<State>(loop, std::move(sink), std::move(options))) {}

SystemSensors::~SystemSensors() = default;

void SystemSensors::watch(const Watch& watch) {
    // The old one first: it gives back what the new one may need.
    state_->watches.erase(watch.id);
    auto sensor =
        std::visit([&](const auto& what) { return state_->make(watch, what); }, watch.what);
    if (sensor)
        state_->watches.emplace(watch.id, std::move(sensor));
}

void SystemSensors::unwatch(WatchId id) {
    state_->watches.erase(id);
}

void SystemSensors::watch_host(bool wanted) {
    if (!wanted)
        state_->measure.reset();
    else if (!state_->measure)
        state_->measure =
            std::make_unique<HostMeasure>(state_->loop, state_->options.proc, state_->sink);
}

}  // namespace guestd::sensors
