// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Is the host going down, or is only our service being stopped?
///
/// Everything hangs on this answer: a needless drain costs minutes, a missed one costs data.
/// systemd is asked over the system bus and, where that does not answer, over systemd's own socket;
/// logind's word counts too, but only for "going down". Whoever cannot be told must drain.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "guestd/time.hpp"
#include "guestd/types.hpp"
#include "systemd/loop.hpp"

namespace guestd::systemd {

struct StaysUp {
    /// logind was asked too, or there is none: before a job is queued, only it knows better.
    bool logind_told = false;
    bool operator==(const StaysUp&) const = default;
};
struct GoingDown {
    Trigger trigger = Trigger::poweroff;
    bool operator==(const GoingDown&) const = default;
};
struct CannotTell {
    std::string reason;  ///< for people
    bool operator==(const CannotTell&) const = default;
};
using HostFate = std::variant<StaysUp, GoingDown, CannotTell>;

/// An answer comes within this time, whatever hangs: a service that stops while the host stays up
/// has 2 s for everything (spec, section 2), and takes milliseconds when nothing hangs.
inline constexpr Duration kFateWithin = std::chrono::seconds{2};

/// systemd's socket for systemctl; root only. It is there when dbus-daemon is not.
inline constexpr const char* kPrivateSocket = "/run/systemd/private";

class FateQuery {
public:
    using Callback = std::function<void(HostFate)>;

    /// Asks; does not block. `callback` is called once, from the loop and never from here, unless
    /// the query is destroyed before; it may destroy the query. The address of the bus is that of
    /// sd_bus_open_system(3), so DBUS_SYSTEM_BUS_ADDRESS overrides it.
    static std::unique_ptr<FateQuery> ask(Loop& loop, Callback callback,
                                          std::string private_socket = kPrivateSocket);
    /// The same of the user's own systemd: GoingDown{session_end} when the last session has ended.
    /// Empty `private_socket`: the one in XDG_RUNTIME_DIR. The address of the bus is that of
    /// sd_bus_open_user(3).
    static std::unique_ptr<FateQuery> ask_user_manager(Loop& loop, Callback callback,
                                                       std::string private_socket = {});
    ~FateQuery();
    FateQuery(const FateQuery&) = delete;
    FateQuery& operator=(const FateQuery&) = delete;

private:
    struct State;
    static std::unique_ptr<FateQuery> ask(std::unique_ptr<State> state);
    explicit FateQuery(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

}  // namespace guestd::systemd
