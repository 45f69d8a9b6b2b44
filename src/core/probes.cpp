// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/probes.hpp"

#include <algorithm>
#include <utility>

namespace guestd::core {
namespace {

/// An agent that is connected and does not answer is most likely busy starting.
constexpr Duration kPingRetry = 2s;
/// Nothing tells of a new lease; a guest's DHCP takes a second or more.
constexpr Duration kAddressRetry = 2s;

/// A guest that has not read a byte of its disks by then needs none: it came over the network.
constexpr Duration kNoIoTime = 30s;
/// Of the second between two readings, what a guest must have been able to run for them to say
/// anything of its rate; else the next one is judged together with this.
constexpr Duration kLeastIoTime = 500ms;
/// A twentieth of the time is what any guest waits for a processor.
constexpr int kWaitShare = 20;

bool needs_address(const Probe& probe) {
    return probe.kind == ProbeKind::address ||
           (probe.kind == ProbeKind::tcp && probe.target.empty());
}

std::string describe(const Probe& probe) {
    switch (probe.kind) {
        case ProbeKind::running:
            return "running";
        case ProbeKind::agent:
            return "agent";
        case ProbeKind::io_settle:
            return "io-settle";
        case ProbeKind::tcp:
            return "tcp:" + (probe.target.empty() ? "" : probe.target + ":") +
                   std::to_string(probe.port);
        case ProbeKind::address:
            return "address";
        case ProbeKind::exec:
            return "exec:" + probe.target;
        case ProbeKind::delay:
            return "delay:" + seconds(probe.span);
    }
    return "";
}

}  // namespace

bool ProbeSet::begin(Context& ctx, const GuestId& guest, const std::string& name,
                     const std::vector<Probe>& probes) {
    end(ctx);
    guest_ = guest;
    name_ = name;
    const auto* about = ctx.fleet.find(guest);
    bool replaced = false;
    for (auto probe : probes) {
        if (probe.kind == ProbeKind::agent && about != nullptr && !about->info.agent_channel) {
            replaced = true;
            probe =
                Probe{.kind = ProbeKind::io_settle, .span = kIoSettleSpan, .rate = kIoSettleRate};
        }
        State state;
        state.probe = probe;
        states_.push_back(std::move(state));
    }
    for (auto& state : states_)
        begin(ctx, state);
    return replaced;
}

void ProbeSet::begin(Context& ctx, State& state) {
    switch (state.probe.kind) {
        case ProbeKind::running:
            state.passed = true;
            return;
        case ProbeKind::delay:
            state.next = ctx.now + state.probe.span;
            return;
        case ProbeKind::agent:
            return;  // advance() asks it as soon as it is connected
        case ProbeKind::tcp:
        case ProbeKind::address:
            if (needs_address(state.probe))
                state.next = ctx.now;
            else
                open_watch(ctx, state);
            return;
        case ProbeKind::io_settle:
        case ProbeKind::exec:
            return open_watch(ctx, state);
    }
}

void ProbeSet::open_watch(Context& ctx, State& state) {
    state.watch = ctx.watches.open(ctx.out, Watch{.id = 0,
                                                  .guest = guest_,
                                                  .name = name_,
                                                  .what = state.probe,
                                                  .uri = ctx.uri_text(guest_.uri)});
}

void ProbeSet::end(Context& ctx) {
    for (auto& state : states_)
        ctx.watches.close(ctx.out, state.watch);
    states_.clear();
}

void ProbeSet::ask(Context& ctx, State& state, CallKind kind) {
    state.next = kNever;
    if (state.call == 0)
        state.call = ctx.calls.submit(ctx.out, Call{.guest = guest_, .kind = kind}, ctx.now);
}

void ProbeSet::advance(Context& ctx) {
    const auto* about = ctx.fleet.find(guest_);
    const bool connected = about != nullptr && about->info.agent_connected;
    for (auto& state : states_) {
        if (state.passed || state.call != 0)
            continue;
        if (state.probe.kind == ProbeKind::agent) {
            state.retry = connected ? state.retry : ctx.now;
            state.text = connected ? state.text : "not connected";
            state.next = connected ? state.retry : kNever;
        }
        if (state.next > ctx.now)
            continue;
        if (state.probe.kind == ProbeKind::delay)
            state.passed = true;
        else
            ask(ctx, state,
                state.probe.kind == ProbeKind::agent ? CallKind::ping_agent
                                                     : CallKind::find_address);
    }
}

void ProbeSet::apply(Context& ctx, const CallReturned& event) {
    for (auto& state : states_) {
        if (state.call != event.id || event.id == 0)
            continue;
        state.call = 0;
        if (state.probe.kind == ProbeKind::agent) {
            state.passed = event.status == CallStatus::done;
            state.text = "connected, does not answer: " + event.message;
            state.retry = state.next = ctx.now + kPingRetry;
        } else {
            found(ctx, state, event);
        }
    }
}

/// An address; a tcp probe goes on with it.
void ProbeSet::found(Context& ctx, State& state, const CallReturned& event) {
    if (event.address.empty()) {
        state.text = event.message.empty() ? "it has no address yet" : event.message;
        state.next = ctx.now + kAddressRetry;
    } else if (state.probe.kind == ProbeKind::address) {
        state.passed = true;
    } else {
        state.probe.target = event.address;
        open_watch(ctx, state);
    }
}

void ProbeSet::apply(const WatchChanged& event) {
    for (auto& state : states_) {
        if (state.watch != event.id)
            continue;
        state.passed = state.passed || event.holds;
        state.text = event.text;
    }
}

/// Below the rate for long enough. Between two readings the guest is taken to have been even. Time
/// that it waited for a processor does not count: a guest that may not run is not one at rest.
void ProbeSet::apply(const IoMeasured& event) {
    for (auto& state : states_) {
        if (state.watch != event.id)
            continue;
        if (!event.measured) {
            state.passed = true;  // what cannot be seen is not waited for
            continue;
        }
        if (!state.last) {
            state.last = event;
            continue;
        }
        const auto interval = event.at - state.last->at;
        const auto waited = event.waited - state.last->waited;
        const auto time = interval - (waited * kWaitShare > interval ? waited : Duration{});
        if (time < kLeastIoTime)
            continue;
        const auto last = std::exchange(*state.last, event);
        const auto bytes = event.total.count - std::min(event.total.count, last.total.count);
        const auto rate = static_cast<double>(bytes) / std::chrono::duration<double>(time).count();
        state.text = std::to_string(static_cast<std::uint64_t>(rate) >> 10) + " KiB/s";
        // Firmware that looks for something to boot from is quiet, too.
        state.ran += time;
        const bool booting = event.total.count == 0 && state.ran < kNoIoTime;
        if (booting || rate >= static_cast<double>(state.probe.rate.count)) {
            state.quiet = {};
            continue;
        }
        state.quiet += time;
        state.passed = state.passed || state.quiet >= state.probe.span;
    }
}

bool ProbeSet::passed() const {
    return std::ranges::all_of(states_, &State::passed);
}

std::string ProbeSet::waiting_for() const {
    std::string text;
    for (const auto& state : states_) {
        if (state.passed)
            continue;
        text += (text.empty() ? "" : ", ") + describe(state.probe);
        text += state.text.empty() ? "" : " (" + state.text + ")";
    }
    return text;
}

TimePoint ProbeSet::next_deadline() const {
    auto next = kNever;
    for (const auto& state : states_)
        if (!state.passed && state.call == 0)
            next = std::min(next, state.next);
    return next;
}

}  // namespace guestd::core
