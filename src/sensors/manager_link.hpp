// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The way to systemd's manager, kept up for those who need it.
///
/// Over the system bus, else over systemd's own socket, in turns and with back-off, until one of
/// them answers. A way that stops answering, or breaks as when dbus-daemon is restarted, is given
/// up for the other one. systemd is subscribed to: it sends signals of its units.

#include <systemd/sd-bus.h>

#include <list>
#include <memory>
#include <string>

#include "guestd/time.hpp"
#include "systemd/loop.hpp"

namespace guestd::sensors {

struct UnrefSlot {
    void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
};
using Slot = std::unique_ptr<sd_bus_slot, UnrefSlot>;

/// Loop's thread. Connected only while somebody uses it.
class ManagerLink {
public:
    class User {
    public:
        virtual ~User() = default;
        /// There is a way: ask. Never called from the user's own constructor.
        virtual void up() = 0;
        /// It is gone: give back every slot. May be called several times.
        virtual void down(const std::string& why) = 0;
    };

    /// `patience`: for the connection, and for each answer.
    ManagerLink(systemd::Loop& loop, std::string socket, Duration patience);
    ~ManagerLink();
    ManagerLink(const ManagerLink&) = delete;
    ManagerLink& operator=(const ManagerLink&) = delete;

    void add(User& user);
    void remove(User& user);

    /// Null while down.
    sd_bus* bus() const { return is_up_ ? bus_.get() : nullptr; }
    /// For calls and matches: null on systemd's own socket.
    const char* destination() const;
    Duration patience() const { return patience_; }
    /// A call had no answer, for lack of a connection or of patience: there may be a better way.
    /// The present one is given up in the next turn of the loop.
    void suspect(const std::string& why);

private:
    struct CloseBus {
        // Not flush_close: flushing blocks.
        void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
    };
    void turn();
    void connect();
    void subscribe();
    void give_up();
    static int on_subscribed(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept;
    static int on_disconnected(sd_bus_message*, void* userdata, sd_bus_error*) noexcept;

    systemd::Loop& loop_;
    std::string socket_;
    Duration patience_;
    std::list<User*> users_;
    bool over_bus_ = true;
    bool is_up_ = false;
    bool suspected_ = false;
    std::string why_;
    Duration wait_;
    systemd::TimeSource timer_;
    std::unique_ptr<sd_bus, CloseBus> bus_;
    Slot subscribed_;
    Slot disconnected_;
};

}  // namespace guestd::sensors
