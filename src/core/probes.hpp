// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The readiness probes of one guest that has come up: all at once, each until it has held once.
///
/// Whoever owns the set calls end() when the guest is ready, or is waited for no longer.

#include <optional>
#include <string>
#include <vector>

#include "core/context.hpp"

namespace guestd::core {

class ProbeSet {
public:
    /// The guest has just come up. An `agent` probe of a guest without an agent channel becomes an
    /// io-settle; true when that was so.
    bool begin(Context& ctx, const GuestId& guest, const std::string& name,
               const std::vector<Probe>& probes);
    void end(Context& ctx);

    void apply(const WatchChanged& event);
    void apply(const IoMeasured& event);
    /// `advance` is due after it.
    void apply(Context& ctx, const CallReturned& event);
    /// Does what is due: a delay ends, an agent is asked again.
    void advance(Context& ctx);

    bool passed() const;
    /// "agent, tcp:5432 (connection refused)"
    std::string waiting_for() const;
    TimePoint next_deadline() const;

private:
    struct State {
        Probe probe;
        bool passed = false;
        std::string text;  ///< why not, as far as known
        WatchId watch = 0;
        CallId call = 0;
        TimePoint next = kNever;  ///< when to ask, or a delay's end
        TimePoint retry{};        ///< of an agent that did not answer; not before
        std::optional<IoMeasured> last;
        Duration ran{};    ///< while it was measured
        Duration quiet{};  ///< of that, below the rate, without a break
    };

    void begin(Context& ctx, State& state);
    void open_watch(Context& ctx, State& state);
    void ask(Context& ctx, State& state, CallKind kind);
    void found(Context& ctx, State& state, const CallReturned& event);

    GuestId guest_;
    std::string name_;
    std::vector<State> states_;
};

}  // namespace guestd::core
