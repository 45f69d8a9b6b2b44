// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/going_down.hpp"

#include <cstdlib>
#include <utility>

#include "systemd/fate_conversation.hpp"

namespace guestd::systemd {
namespace {

/// For each of the two ways; a tenth is left for whatever else the loop does meanwhile.
constexpr Duration kEachWayWithin = kFateWithin * 9 / 20;

std::string user_socket() {
    const char* const folder = std::getenv("XDG_RUNTIME_DIR");
    return std::string{folder == nullptr ? "" : folder} + "/systemd/private";
}

}  // namespace

struct FateQuery::State {
    State(Loop& event_loop, Callback told, std::string socket)
        : loop(event_loop), callback(std::move(told)), private_socket(std::move(socket)) {}

    void ask_bus();
    void ask_socket();
    void bus_done();
    void socket_done();
    void conclude(HostFate fate);

    Loop& loop;
    Callback callback;
    std::string private_socket;
    bool user = false;  ///< whose systemd
    std::string bus_problem;
    TimeSource patience;
    std::unique_ptr<Conversation> talk;
};

void FateQuery::State::ask_bus() {
    talk = user ? Conversation::over_user_bus(loop, [this] { bus_done(); })
                : Conversation::over_system_bus(loop, [this] { bus_done(); });
    if (auto timer = loop.add_time(loop.now() + kEachWayWithin, "patience with the bus",
                                   [this] { bus_done(); }))
        patience = std::move(*timer);
}

void FateQuery::State::bus_done() {
    HostFate fate = judge(talk->evidence());
    const auto* unclear = std::get_if<CannotTell>(&fate);
    if (unclear == nullptr)
        return conclude(std::move(fate));
    bus_problem = unclear->reason;
    ask_socket();
}

void FateQuery::State::ask_socket() {
    talk = Conversation::over_socket(loop, private_socket, [this] { socket_done(); });
    if (auto timer = loop.add_time(loop.now() + kEachWayWithin, "patience with systemd's socket",
                                   [this] { socket_done(); }))
        patience = std::move(*timer);
}

void FateQuery::State::socket_done() {
    HostFate fate = judge(talk->evidence());
    if (const auto* unclear = std::get_if<CannotTell>(&fate))
        fate = CannotTell{std::string{"over the "} + (user ? "user's" : "system") + " bus: " +
                          bus_problem + "; over systemd's own socket: " + unclear->reason};
    conclude(std::move(fate));
}

void FateQuery::State::conclude(HostFate fate) {
    talk.reset();
    patience.reset();
    // Whatever ends a user's systemd (a logout, the host), its sessions have ended before.
    if (user && std::holds_alternative<GoingDown>(fate))
        fate = GoingDown{Trigger::session_end};
    // The callback may destroy the query, and this with it.
    const auto told = std::exchange(callback, nullptr);
    told(std::move(fate));
}

FateQuery::FateQuery(std::unique_ptr<State> state) : state_(std::move(state)) {}
FateQuery::~FateQuery() = default;

std::unique_ptr<FateQuery> FateQuery::ask(Loop& loop, Callback callback,
                                          std::string private_socket) {
    return ask(std::make_unique<State>(loop, std::move(callback), std::move(private_socket)));
}

std::unique_ptr<FateQuery> FateQuery::ask_user_manager(Loop& loop, Callback callback,
                                                       std::string private_socket) {
    if (private_socket.empty())
        private_socket = user_socket();
    auto state = std::make_unique<State>(loop, std::move(callback), std::move(private_socket));
    state->user = true;
    return ask(std::move(state));
}

std::unique_ptr<FateQuery> FateQuery::ask(std::unique_ptr<State> state) {
    state->ask_bus();
    return std::unique_ptr<FateQuery>{new FateQuery{std::move(state)}};
}

}  // namespace guestd::systemd
