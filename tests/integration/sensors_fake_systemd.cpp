// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors_fake_systemd.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-id128.h>

#include <cstring>
#include <stdexcept>

namespace guestd::sensors::testing {
namespace {

void must(int code, const char* what) {
    if (code < 0)
        throw std::runtime_error{std::string{what} + ": " + std::strerror(-code)};
}

std::string path_of(const std::string& unit) {
    char* path = nullptr;
    must(sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path), "path");
    const std::string copy = path;
    ::free(path);
    return copy;
}

}  // namespace

FakeSystemd::FakeSystemd(systemd::Loop& loop) : loop_(loop) {
    sd_bus* bus = nullptr;
    must(sd_bus_open_system(&bus), "system bus");
    Bus owner{bus};
    must(sd_bus_request_name(bus, "org.freedesktop.systemd1", 0), "name");
    serve(std::move(owner));
}

FakeSystemd::FakeSystemd(systemd::Loop& loop, const std::filesystem::path& socket) : loop_(loop) {
    listener_ = Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    must(::bind(listener_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) |
             ::listen(listener_.number(), 8),
         "listen");
    source_ = std::move(*loop.add_io(listener_.number(), EPOLLIN, "fake systemd",
                                     [this](std::uint32_t) { accept(); }));
}

FakeSystemd::~FakeSystemd() = default;

void FakeSystemd::accept() {
    sd_id128_t id{};
    sd_id128_randomize(&id);
    sd_bus* bus = nullptr;
    must(sd_bus_new(&bus), "bus");
    Bus owner{bus};
    const int fd = ::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    must(sd_bus_set_fd(bus, fd, fd), "fd");
    must(sd_bus_set_server(bus, 1, id), "server");
    must(sd_bus_start(bus), "start");
    serve(std::move(owner));
}

void FakeSystemd::serve(Bus bus) {
    must(sd_bus_add_filter(bus.get(), nullptr, on_message, this), "filter");
    must(sd_bus_attach_event(bus.get(), loop_.handle(), SD_EVENT_PRIORITY_NORMAL), "attach");
    buses_.push_back(std::move(bus));
}

int FakeSystemd::on_message(sd_bus_message* message, void* userdata, sd_bus_error*) {
    std::uint8_t type = 0;
    sd_bus_message_get_type(message, &type);
    if (type != SD_BUS_MESSAGE_METHOD_CALL)
        return 0;
    auto& self = *static_cast<FakeSystemd*>(userdata);
    if (!self.silent_)
        self.answer(message);
    return 1;
}

void FakeSystemd::answer(sd_bus_message* call) {
    const std::string member = sd_bus_message_get_member(call);
    if (member == "Subscribe") {
        subscribed_ = true;
        sd_bus_reply_method_return(call, "");
    } else if (member == "ListUnitsByNames") {
        ++questions_;
        list(call);
    }
}

void FakeSystemd::list(sd_bus_message* call) {
    const char* name = nullptr;
    must(sd_bus_message_enter_container(call, 'a', "s"), "call");
    must(sd_bus_message_read(call, "s", &name), "call");
    const std::string unit = name;
    if (unit.find(' ') != std::string::npos) {
        sd_bus_reply_method_errorf(call, SD_BUS_ERROR_INVALID_ARGS, "Unit name %s is not valid.",
                                   name);
        return;
    }
    const auto known = units_.find(unit);
    const FakeUnit state = known == units_.end() ? FakeUnit{.load = "not-found"} : known->second;
    sd_bus_reply_method_return(call, "a(ssssssouso)", 1, unit.c_str(), "A unit", state.load.c_str(),
                               state.active.c_str(), "sub", "", path_of(unit).c_str(), 0U, "", "/");
}

void FakeSystemd::set(const std::string& unit, const FakeUnit& state) {
    set_silently(unit, state);
    if (!subscribed_)
        return;
    for (const auto& bus : buses_)
        sd_bus_emit_signal(bus.get(), path_of(unit).c_str(), "org.freedesktop.DBus.Properties",
                           "PropertiesChanged", "sa{sv}as", "org.freedesktop.systemd1.Unit", 1,
                           "ActiveState", "s", state.active.c_str(), 0);
}

}  // namespace guestd::sensors::testing
