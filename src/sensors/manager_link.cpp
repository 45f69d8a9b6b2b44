// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/manager_link.hpp"

#include <algorithm>
#include <stdexcept>

#include "sensors/words.hpp"
#include "systemd/attach_bus.hpp"

namespace guestd::sensors {
namespace {

using namespace std::chrono_literals;

constexpr const char* kManager = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManagerInterface = "org.freedesktop.systemd1.Manager";
constexpr const char* kLocal = "org.freedesktop.DBus.Local";
constexpr const char* kLocalPath = "/org/freedesktop/DBus/Local";

/// Between attempts: first soon, as a restarted dbus-daemon is back at once, then ever later.
constexpr Duration kFirstWait = 200ms;
constexpr Duration kLongestWait = 10s;

}  // namespace

ManagerLink::ManagerLink(systemd::Loop& loop, std::string socket, Duration patience)
    : loop_(loop), socket_(std::move(socket)), patience_(patience), wait_(kFirstWait) {
    auto timer = loop.add_time(kNever, "way to systemd", [this] { turn(); });
    if (!timer)
        throw std::runtime_error{timer.error().message()};
    timer_ = std::move(*timer);
}

ManagerLink::~ManagerLink() = default;

void ManagerLink::add(User& user) {
    users_.push_back(&user);
    // From the loop: the user may not be whole yet. A way that is there is told to all once more.
    if (users_.size() == 1 || is_up_)
        timer_.arm(loop_.now());
}

void ManagerLink::remove(User& user) {
    users_.remove(&user);
    if (!users_.empty())
        return;
    timer_.disarm();
    is_up_ = suspected_ = false;
    subscribed_.reset();
    disconnected_.reset();
    bus_.reset();
}

const char* ManagerLink::destination() const {
    return over_bus_ ? kManager : nullptr;
}

void ManagerLink::suspect(const std::string& why) {
    if (suspected_ || !bus_)
        return;
    suspected_ = true;
    why_ = why;
    timer_.arm(loop_.now());
}

/// The one timer: time to connect, to tell new users, or to give up.
void ManagerLink::turn() {
    if (!bus_)
        return connect();
    if (!is_up_ || suspected_)
        return give_up();
    for (auto* user : std::list{users_})
        user->up();
}

void ManagerLink::connect() {
    suspected_ = false;
    why_ = "no answer";
    sd_bus* bus = nullptr;
    int code = 0;
    if (over_bus_) {
        code = sd_bus_open_system_with_description(&bus, "units");
    } else {
        code = sd_bus_new(&bus);
        if (code >= 0)
            code = sd_bus_set_address(bus, ("unix:path=" + socket_).c_str());
        if (code >= 0)
            code = sd_bus_start(bus);
    }
    bus_.reset(bus);
    if (code >= 0)
        code = systemd::attach_bus(bus, loop_.handle());
    if (code >= 0) {
        subscribe();
        return;
    }
    why_ = words(-code);
    give_up();
}

void ManagerLink::subscribe() {
    sd_bus_slot* slot = nullptr;
    int code = sd_bus_match_signal(bus_.get(), &slot, nullptr, kLocalPath, kLocal, "Disconnected",
                                   on_disconnected, this);
    disconnected_.reset(slot);
    sd_bus_message* call = nullptr;
    if (code >= 0)
        code = sd_bus_message_new_method_call(bus_.get(), &call, destination(), kManagerPath,
                                              kManagerInterface, "Subscribe");
    if (code >= 0)
        code = sd_bus_message_set_auto_start(call, 0);
    slot = nullptr;
    if (code >= 0)
        code = sd_bus_call_async(bus_.get(), &slot, call, on_subscribed, this, 0);
    sd_bus_message_unref(call);
    subscribed_.reset(slot);
    if (code < 0)
        suspect(words(-code));
    else
        timer_.arm(loop_.now() + patience_);
}

int ManagerLink::on_subscribed(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<ManagerLink*>(userdata);
    try {
        const sd_bus_error* error = sd_bus_message_get_error(reply);
        if (error != nullptr &&
            sd_bus_error_has_name(error, "org.freedesktop.systemd1.AlreadySubscribed") == 0) {
            self.suspect(error->message != nullptr ? error->message : error->name);
            return 0;
        }
        self.is_up_ = true;
        self.wait_ = kFirstWait;
        self.timer_.arm(self.loop_.now());
    } catch (...) {
        // No memory: the timer gives this way up.
    }
    return 0;
}

int ManagerLink::on_disconnected(sd_bus_message*, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<ManagerLink*>(userdata);
    try {
        self.suspect("the connection broke");
    } catch (...) {
        self.is_up_ = false;
        self.timer_.arm(self.loop_.now());
    }
    return 0;
}

void ManagerLink::give_up() {
    is_up_ = suspected_ = false;
    const std::string why =
        (over_bus_ ? "over the system bus: " : "over systemd's own socket: ") + why_;
    for (auto* user : std::list{users_})
        user->down(why);
    subscribed_.reset();
    disconnected_.reset();
    bus_.reset();
    over_bus_ = !over_bus_;
    timer_.arm(loop_.now() + wait_);
    wait_ = std::min(wait_ * 2, kLongestWait);
}

}  // namespace guestd::sensors
