// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_server.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "systemd/attach_bus.hpp"
#include "systemd/bus_encode.hpp"
#include "systemd/bus_manager.hpp"
#include "systemd/bus_names.hpp"

namespace guestd::bus {
namespace {

/// The bus daemon restarts seldom and comes back within a second or two.
constexpr std::uint64_t kRetryUsec = 2'000'000;
/// Five times a second looks live; more only wakes clients.
constexpr std::uint64_t kPaceUsec = 200'000;
/// What happens with guests is told sooner: people read it, and scripts act on it.
constexpr std::uint64_t kNewsUsec = 20'000;
/// One message then has some hundred KiB.
constexpr std::size_t kMostNews = 1000;
/// The timer need not be exact to better than this.
constexpr std::uint64_t kAccuracyUsec = 10'000;
/// After everything else: a flood of calls must not hold up what guestd does with the guests.
constexpr int kPriority = SD_EVENT_PRIORITY_NORMAL + 10;
/// Numbers of RequestName's answer, from the D-Bus specification.
constexpr std::uint32_t kPrimaryOwner = 1;
constexpr std::uint32_t kAlreadyOwner = 4;
/// Bytes of an object's path: a guest's has its URI in it. sd-bus looks for an object at every "/"
/// of a path, from its begin each time: the 64 KiB that it allows hold the loop for long.
constexpr std::size_t kMostPathLength = 4096;
/// Answers that wait in sd-bus until the bus takes them, which it does at once unless it hangs or
/// somebody does not read what he asked for. As many as one program may ask for at once; none is
/// larger than some megabytes.
constexpr std::uint64_t kMostUnwritten = kMostOpenCalls;
/// The same with refusals, which are small. Whoever asks then gets no answer at all: he would not
/// get it in time.
constexpr std::uint64_t kMostUnheard = 4 * kMostUnwritten;

const char* word_of(const Notice& notice) {
    switch (notice.kind) {
        case NoticeKind::step_started:
            return notice.what.c_str();
        case NoticeKind::guest_done:
            return "done";
        case NoticeKind::guest_retrying:
            return "retrying";
        case NoticeKind::guest_held:
            return "held";
        case NoticeKind::run_started:
        case NoticeKind::run_ended:
        case NoticeKind::starts_held:
        case NoticeKind::intent_not_stored:
        case NoticeKind::uri_unreachable:
        case NoticeKind::remark:
            return nullptr;
    }
    return nullptr;
}

/// guestd-wait-boot.service, as systemd spells it.
constexpr const char* kWaitUnitPath =
    "/org/freedesktop/systemd1/unit/guestd_2dwait_2dboot_2eservice";
/// Of the seconds for which logind waits at most (InhibitDelayMaxSec=); then it is begun anyway.
constexpr std::uint64_t kWaitAnswer = 1'000'000;

}  // namespace

Server::Server(sd_event* event, Facade& facade, Remark remark, Bus which)
    : event_(event),
      facade_(facade),
      remark_(std::move(remark)),
      which_(which),
      manager_{facade, {}},
      objects_(facade),
      tell_(event, kNewsUsec, "bus news", [this] { send_news(); }),
      progress_(event, kPaceUsec, "bus progress", [this] { send_progress(); }),
      announcements_(event, kPaceUsec, "bus objects", [this] { objects_.announce(); }) {
    connect();
}

Server::~Server() {
    send_news();
    try {
        objects_.announce();
    } catch (...) {
        // The bus is gone, and with it whoever watches.
    }
    disconnect();
}

void Server::say(const std::string& text) {
    if (text != said_ && remark_)
        remark_(text);
    said_ = text;
}

void Server::connect() noexcept {
    try {
        open();
    } catch (const Failure& failure) {
        say(std::string{"no bus: "} + failure.what());
        retry_later();
    } catch (...) {
        retry_later();
    }
}

// Nothing in here waits: the connection is made and the name is asked for in the background.
void Server::open() {
    sd_bus* bus = nullptr;
    check(which_ == Bus::system ? sd_bus_open_system_with_description(&bus, "guestd")
                                : sd_bus_open_user_with_description(&bus, "guestd"),
          "connect to the bus");
    bus_.reset(bus);
    sd_bus_slot* slot = nullptr;
    check(sd_bus_add_filter(bus, &slot, on_any, this), "look at messages");
    any_.reset(slot);
    check(sd_bus_add_object_vtable(bus, &slot, kPath, kManager, kManagerVtable, &manager_),
          "offer the interface");
    object_.reset(slot);
    objects_.offer(bus);
    check(sd_bus_match_signal(bus, &slot, nullptr, "/org/freedesktop/DBus/Local",
                              "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, this),
          "watch the connection");
    gone_.reset(slot);
    if (which_ == Bus::system)
        listen_to_logind();
    check(sd_bus_request_name_async(bus, &slot, kService, 0, on_name, this), "ask for the name");
    name_.reset(slot);
    named_ = true;
    check(systemd::attach_bus(bus, event_, kPriority), "attach to the loop");
    vitals_ = facade_.vitals();
}

void Server::disconnect() noexcept {
    owner_ = named_ = false;
    if (bus_)
        sd_bus_detach_event(bus_.get());
    any_.reset();
    object_.reset();
    objects_.withdraw();
    name_.reset();
    gone_.reset();
    prepare_.reset();
    waiting_.reset();
    manager_.open_calls.cancel();
    bus_.reset();
}

void Server::retry_later() noexcept {
    owner_ = named_ = false;
    sd_event_source* source = nullptr;
    if (sd_event_add_time_relative(event_, &source, CLOCK_MONOTONIC, kRetryUsec, kAccuracyUsec,
                                   on_retry, this) < 0)
        return;  // no memory for a timer: the bus stays away, guestd goes on
    sd_event_source_set_description(source, "bus reconnect");
    retry_.reset(source);
}

/// Whether the call gets an answer that may be large. 0 = yes. What sd-bus answers itself, as
/// properties of all guests, is judged here too. Signals do not count, nor do they hold up calls: a
/// change of a thousand guests is a thousand of them, and they come of what happens, not of what
/// somebody asks.
int Server::admit(sd_bus_message* call, sd_bus_error* error) noexcept {
    std::uint64_t queued = 0;
    sd_bus_get_n_queued_write(sd_bus_message_get_bus(call), &queued);
    // The queue has no more answers than messages; that is how those that were written are noticed.
    unwritten_ = std::min(unwritten_, queued) + 1;
    if (unwritten_ <= kMostUnwritten)
        return 0;
    if (unwritten_ <= kMostUnheard)
        return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                "the bus does not take guestd's answers");
    --unwritten_;
    return 1;
}

/// Before sd-bus looks for the object. 0 = go on.
int Server::on_any(sd_bus_message* message, void* userdata, sd_bus_error* error) noexcept {
    if (sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0)
        return 0;
    if (const int judged = static_cast<Server*>(userdata)->admit(message, error); judged != 0)
        return judged;
    const char* const path = sd_bus_message_get_path(message);
    if (path == nullptr || strnlen(path, kMostPathLength + 1) <= kMostPathLength)
        return 0;
    return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_OBJECT,
                            "there is no object of such a name");
}

int Server::on_retry(sd_event_source*, std::uint64_t, void* userdata) noexcept {
    auto& self = *static_cast<Server*>(userdata);
    self.disconnect();
    self.connect();
    return 0;
}

int Server::on_name(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<Server*>(userdata);
    try {
        std::uint32_t answer = 0;
        if (const sd_bus_error* error = sd_bus_message_get_error(reply)) {
            self.say(std::string{"cannot be org.guestd1 on the bus: "} +
                     (error->message == nullptr ? error->name : error->message));
        } else {
            answer = read_u32(reply);
            self.owner_ = answer == kPrimaryOwner || answer == kAlreadyOwner;
            self.say(self.owner_ ? "connected to the bus as org.guestd1"
                                 : "org.guestd1 on the bus belongs to another process");
        }
    } catch (...) {
        self.owner_ = false;
    }
    if (!self.owner_)
        self.retry_later();
    return 0;
}

/// Since systemd 255. Without a callback of ours, sd-bus would close a bus that refuses the match.
void Server::listen_to_logind() {
    sd_bus_slot* slot = nullptr;
    check(
        sd_bus_match_signal_async(bus_.get(), &slot, "org.freedesktop.login1",
                                  "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                  "PrepareForShutdownWithMetadata", on_prepare, on_listening, this),
        "listen to logind");
    prepare_.reset(slot);
}

int Server::on_listening(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    try {
        if (const sd_bus_error* error = sd_bus_message_get_error(reply))
            static_cast<Server*>(userdata)->say(
                std::string{"logind's announcements cannot be heard: "} + error->name);
    } catch (...) {
        // The stop of our unit tells the same, later.
    }
    return 0;
}

int Server::on_prepare(sd_bus_message* signal, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<Server*>(userdata);
    // Anybody may send a signal to us alone: only of those to all does the bus check the match.
    if (sd_bus_message_get_destination(signal) != nullptr)
        return 0;
    try {
        self.heard_logind(signal);
    } catch (...) {
        self.say_fault();
    }
    return 0;
}

/// In a handler.
void Server::say_fault() noexcept {
    try {
        throw;
    } catch (const std::exception& fault) {
        try {
            say(std::string{"logind's announcement: "} + fault.what());
        } catch (...) {
            // No memory. The stop of our unit tells the same, later.
        }
    } catch (...) {
        // Nothing of ours throws such.
    }
}

/// Units that are ordered behind the guests are stopped before us, when the host goes down: while
/// there may be some, an announcement is too early.
void Server::heard_logind(sd_bus_message* signal) {
    int down = 0;
    check(sd_bus_message_read_basic(signal, SD_BUS_TYPE_BOOLEAN, &down), "hear logind");
    const auto metadata = read_options(signal);
    const auto way = metadata.find("type");
    if (way == metadata.end() || !std::holds_alternative<std::string>(way->second))
        return;
    waiting_.reset();
    if (down == 0)
        return facade_.host_prepares(false, std::get<std::string>(way->second));
    announced_ = std::get<std::string>(way->second);
    sd_bus_message* raw = nullptr;
    check(sd_bus_message_new_method_call(bus_.get(), &raw, "org.freedesktop.systemd1",
                                         kWaitUnitPath, "org.freedesktop.DBus.Properties", "Get"),
          "ask systemd");
    const Message call{raw};
    check(sd_bus_message_append(raw, "ss", "org.freedesktop.systemd1.Unit", "ActiveState"),
          "ask systemd");
    sd_bus_slot* slot = nullptr;
    check(sd_bus_call_async(bus_.get(), &slot, raw, on_waiting, this, kWaitAnswer), "ask systemd");
    waiting_.reset(slot);
}

int Server::on_waiting(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<Server*>(userdata);
    try {
        const char* state = "";
        if (sd_bus_message_get_error(reply) == nullptr)
            check(sd_bus_message_read(reply, "v", "s", &state), "read the state of a unit");
        // Enabled nowhere: whatever it is else, somebody has pulled it in.
        if (*state != '\0' && std::string_view{state} != "inactive")
            self.say("the host is about to go down (" + self.announced_ +
                     "): units that wait for guestd-wait-boot.service are stopped first");
        else
            self.facade_.host_prepares(true, self.announced_);
    } catch (...) {
        self.say_fault();
    }
    return 0;
}

// The connection cannot be freed from within its own callback; the timer does it.
int Server::on_disconnected(sd_bus_message*, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<Server*>(userdata);
    try {
        self.say("the bus went away");
    } catch (...) {
        self.owner_ = false;
    }
    self.retry_later();
    return 0;
}

template <class Write>
void Server::signal(const char* member, Write&& write) noexcept {
    if (!named_)
        return;
    try {
        sd_bus_message* raw = nullptr;
        check(sd_bus_message_new_signal(bus_.get(), &raw, kPath, kManager, member), "signal");
        const Message message{raw};
        write(raw);
        check(sd_bus_send(bus_.get(), raw, nullptr), "signal");
    } catch (...) {
        // Whoever misses a signal reads the state; a broken bus announces itself.
    }
}

void Server::run_started(RunId run, RunKind kind, Trigger trigger) {
    send_news();
    signal(kRunStarted, [&](sd_bus_message* into) {
        append(into, run);
        append(into, to_string(kind));
        append(into, to_string(trigger));
    });
}

void Server::run_ended(RunId run, bool clean) {
    send_news();
    signal(kRunEnded, [&](sd_bus_message* into) {
        append(into, run);
        append(into, clean);
    });
}

void Server::guest_changed(const Notice& notice, const std::string& uri) {
    if (word_of(notice) == nullptr || !notice.guest)
        return;
    if (!news_.empty() && (news_.front().notice.run != notice.run || news_.size() >= kMostNews))
        send_news();
    try {
        news_.push_back({notice, uri});
        tell_.changed();
    } catch (...) {
        send_news();  // no timer to be had, or no memory
    }
}

void Server::send_news() noexcept {
    const auto news = std::exchange(news_, {});
    if (news.empty())
        return;
    signal(kGuestsChanged, [&](sd_bus_message* into) {
        append(into, news.front().notice.run);
        const Container changes{into, 'a', "(ssssss)"};
        for (const auto& [notice, uri] : news) {
            const Container change{into, 'r', "ssssss"};
            append(into, std::string_view{uri});
            append(into, std::string_view{notice.guest->uuid.str()});
            append(into, std::string_view{notice.name});
            append(into, std::string_view{word_of(notice)});
            append(into, notice.outcome == Outcome::pending ? "" : to_string(notice.outcome));
            append(into, std::string_view{notice.text});
        }
    });
}

void Server::send_progress() {
    const auto progress = facade_.progress();
    if (!progress)
        return;
    signal(kProgress, [&](sd_bus_message* into) {
        append(into, progress->run.record.id);
        encode(into, *progress);
    });
}

void Server::progress_changed() {
    if (!owner_)
        return;
    try {
        progress_.changed();
    } catch (const Failure& failure) {
        say(failure.what());
    }
}

void Server::objects_changed() {
    objects_.changed();
    if (!owner_)
        return;
    try {
        announcements_.changed();
    } catch (const Failure& failure) {
        say(failure.what());
    }
}

void Server::status_changed() {
    objects_changed();
    auto now = facade_.vitals();
    if (!owner_ || now == vitals_)
        return;
    vitals_ = std::move(now);
    char degraded[] = "Degraded";
    char active_run[] = "ActiveRun";
    char* names[] = {degraded, active_run, nullptr};
    // A failure means a broken bus, which announces itself.
    sd_bus_emit_properties_changed_strv(bus_.get(), kPath, kManager, names);
}

void Server::try_restart(const char* unit) noexcept {
    // Without a callback no answer is asked for: the unit may not be there. "fail": not where it is
    // to stop, as when the host goes down.
    sd_bus_call_method_async(bus_.get(), nullptr, "org.freedesktop.systemd1",
                             "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                             "TryRestartUnit", nullptr, nullptr, "ss", unit, "fail");
}

}  // namespace guestd::bus
