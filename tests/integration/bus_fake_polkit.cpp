// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus_fake_polkit.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

namespace guestd::bus::test {
namespace {

constexpr const char* kPath = "/org/freedesktop/PolicyKit1/Authority";
constexpr const char* kName = "org.freedesktop.PolicyKit1";
constexpr const char* kInterface = "org.freedesktop.PolicyKit1.Authority";
/// No working program takes this long.
constexpr std::chrono::seconds kLimit{30};

}  // namespace

const sd_bus_vtable FakePolkit::kVtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

FakePolkit::FakePolkit(std::function<Verdict(const Asked&)> judge)
    : judge_(std::move(judge)), stop_(eventfd(0, EFD_CLOEXEC)), thread_([this] { loop(); }) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, kLimit, [this] { return ready_; }))
        throw std::runtime_error{"test support: no fake polkit"};
}

FakePolkit::~FakePolkit() {
    eventfd_write(stop_, 1);
    thread_.join();
    close(stop_);
}

void FakePolkit::loop() {
    sd_event* event = nullptr;
    sd_bus* bus = nullptr;
    sd_event_new(&event);
    sd_bus_open_system(&bus);
    sd_bus_add_object_vtable(bus, nullptr, kPath, kInterface, kVtable, this);
    sd_bus_attach_event(bus, event, 0);
    sd_event_add_io(
        event, nullptr, stop_, EPOLLIN,
        [](sd_event_source* source, int, std::uint32_t, void*) {
            return sd_event_exit(sd_event_source_get_event(source), 0);
        },
        nullptr);
    if (sd_bus_request_name(bus, kName, 0) >= 0) {
        const std::lock_guard lock{mutex_};
        ready_ = true;
        changed_.notify_all();
    }
    sd_event_loop(event);
    for (auto* message : unanswered_)
        sd_bus_message_unref(message);
    sd_bus_flush_close_unref(bus);
    sd_event_unref(event);
}

int FakePolkit::on_check(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<FakePolkit*>(userdata);
    const char* kind = nullptr;
    const char* name = nullptr;
    const char* action = nullptr;
    std::uint32_t flags = 0;
    sd_bus_message_enter_container(message, 'r', "sa{sv}");
    sd_bus_message_read(message, "s", &kind);
    sd_bus_message_enter_container(message, 'a', "{sv}");
    sd_bus_message_enter_container(message, 'e', "sv");
    sd_bus_message_skip(message, "s");
    sd_bus_message_read(message, "v", "s", &name);
    for (int depth = 0; depth < 3; ++depth)
        sd_bus_message_exit_container(message);
    sd_bus_message_read(message, "s", &action);
    sd_bus_message_skip(message, "a{ss}");
    sd_bus_message_read(message, "u", &flags);
    const Asked asked{kind, name, action, flags};
    const Verdict verdict = self.judge_(asked);
    {
        const std::lock_guard lock{self.mutex_};
        self.asked_.push_back(asked);
        self.changed_.notify_all();
    }
    if (verdict == Verdict::silence) {
        self.unanswered_.push_back(sd_bus_message_ref(message));
        return 1;
    }
    return sd_bus_reply_method_return(message, "(bba{ss})", verdict == Verdict::yes ? 1 : 0,
                                      verdict == Verdict::challenge ? 1 : 0, 0);
}

std::vector<FakePolkit::Asked> FakePolkit::asked() const {
    const std::lock_guard lock{mutex_};
    return asked_;
}

void FakePolkit::wait_until_asked(std::size_t times) const {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, kLimit, [&] { return asked_.size() >= times; }))
        throw std::runtime_error{"test support: polkit was not asked"};
}

}  // namespace guestd::bus::test
