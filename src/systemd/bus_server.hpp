// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// guestd on the bus.
///
/// The bus is a face, never a condition: guestd does its work without one. The server connects by
/// itself, comes back when the bus daemon restarts, and drops what it has to say while there is
/// nobody to say it to. Loop's thread; no member blocks or fails.

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <functional>
#include <memory>
#include <string>

#include "guestd/commands.hpp"
#include "systemd/bus_facade.hpp"
#include "systemd/bus_manager.hpp"
#include "systemd/bus_message.hpp"
#include "systemd/bus_objects.hpp"
#include "systemd/bus_pace.hpp"

namespace guestd::bus {

enum class Bus { system, user };

class Server {
public:
    /// Told once for each change: "connected", "the bus is not there: …". For the log.
    using Remark = std::function<void(const std::string&)>;

    /// `event` and `facade` must outlive the server. On Bus::system the address is the one of
    /// sd_bus_open_system(3), so DBUS_SYSTEM_BUS_ADDRESS overrides it.
    Server(sd_event* event, Facade& facade, Remark remark, Bus which = Bus::system);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// True once org.guestd1 is ours.
    bool connected() const { return owner_; }
    /// True once something was remarked: whoever calls finds us by now, or nobody will for a while.
    bool settled() const { return !said_.empty(); }

    void run_started(RunId run, RunKind kind, Trigger trigger);
    void run_ended(RunId run, bool clean);
    /// For notices about a guest: `what` is the step for step_started, else "done", "retrying" or
    /// "held". Other notices are not for the bus and are dropped. A moment later they go out
    /// together, as GuestsChanged, and before RunEnded: a drain of a thousand guests has thousands,
    /// and a message costs the bus more than what is in it.
    void guest_changed(const Notice& notice, const std::string& uri);
    /// There is something new in Facade::progress(). Call it as often as you like: the facade is
    /// asked, and the signal sent, at most five times a second.
    void progress_changed();
    /// Facade::status() may have another `degraded` or active run, Facade::guests() other guests:
    /// tells whoever watches the properties, if so; those of guests and runs at most five times a
    /// second.
    void status_changed();
    /// Has systemd restart the unit, if it runs and nothing else is to be done with it. There must
    /// be a connection.
    void try_restart(const char* unit) noexcept;

private:
    void connect() noexcept;
    void open();
    void disconnect() noexcept;
    void retry_later() noexcept;
    void say(const std::string& text);
    void send_progress();
    void send_news() noexcept;
    void objects_changed();
    template <class Write>
    void signal(const char* member, Write&& write) noexcept;

    int admit(sd_bus_message* call, sd_bus_error* error) noexcept;

    static int on_any(sd_bus_message*, void* userdata, sd_bus_error*) noexcept;
    void listen_to_logind();
    void heard_logind(sd_bus_message* signal);
    void say_fault() noexcept;
    static int on_listening(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;
    static int on_prepare(sd_bus_message* signal, void* userdata, sd_bus_error*) noexcept;
    static int on_waiting(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;
    static int on_retry(sd_event_source*, std::uint64_t, void* userdata) noexcept;
    static int on_name(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;
    static int on_disconnected(sd_bus_message*, void* userdata, sd_bus_error*) noexcept;

    using Source = std::unique_ptr<sd_event_source, Unref<sd_event_source_disable_unref>>;
    using Connection = std::unique_ptr<sd_bus, Unref<sd_bus_close_unref>>;

    sd_event* event_;
    Facade& facade_;
    Remark remark_;
    Bus which_;
    bool owner_ = false;
    /// The name is ours or asked for. The bus takes messages in their order, so what is said before
    /// its answer is already said by org.guestd1: the boot run may begin before that answer is
    /// here.
    bool named_ = false;
    std::string said_;  ///< last remark, so that it is not repeated with every attempt
    /// Answers, not signals, that may still be in sd-bus' queue: never fewer than there are.
    std::uint64_t unwritten_ = 0;
    Vitals vitals_;  ///< as last told
    Manager manager_;
    Objects objects_;
    struct News {
        Notice notice;
        std::string uri;
    };
    std::vector<News> news_;  ///< of one run
    Pace tell_;
    Pace progress_;
    Pace announcements_;
    Source retry_;
    // Slots go before the connection that they belong to.
    Connection bus_;
    Slot any_;
    Slot object_;
    Slot name_;
    Slot gone_;
    Slot prepare_;
    Slot waiting_;           ///< the question whether somebody waits for the guests
    std::string announced_;  ///< the way down, until that is answered
};

}  // namespace guestd::bus
