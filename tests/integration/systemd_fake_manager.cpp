// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd_fake_manager.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>
#include <stdexcept>

namespace guestd::systemd::testing {
namespace {

namespace fs = std::filesystem;

void must(int code, const char* what) {
    if (code < 0)
        throw std::runtime_error{std::string{what} + ": " + std::strerror(-code)};
}

/// Answers one call; -1 = silence.
int reply(sd_bus_message* call, const FakeState& state) {
    const std::string interface = sd_bus_message_get_interface(call);
    const std::string member = sd_bus_message_get_member(call);
    const std::string path = sd_bus_message_get_path(call);
    if (interface == "org.freedesktop.systemd1.Manager" && member == "ListJobs") {
        if (state.refuse_jobs)
            return sd_bus_reply_method_errorf(call, "org.test.Refused", "no jobs for you");
        sd_bus_message* answer = nullptr;
        sd_bus_message_new_method_return(call, &answer);
        sd_bus_message_open_container(answer, 'a', "(usssoo)");
        std::uint32_t id = 1;
        for (const auto& [unit, type] : state.jobs)
            sd_bus_message_append(answer, "(usssoo)", id++, unit.c_str(), type.c_str(), "waiting",
                                  "/job", "/unit");
        sd_bus_message_close_container(answer);
        const int sent = sd_bus_send(nullptr, answer, nullptr);
        sd_bus_message_unref(answer);
        return sent;
    }
    if (interface != "org.freedesktop.DBus.Properties" || member != "Get")
        return 0;
    const char* of = nullptr;
    const char* property = nullptr;
    sd_bus_message_read(call, "ss", &of, &property);
    const std::string name = property;
    if (path == "/org/freedesktop/systemd1" && name == "SystemState")
        return sd_bus_reply_method_return(call, "v", "s", state.system_state.c_str());
    if (path != "/org/freedesktop/login1" || state.logind_hangs)
        return 0;
    if (name == "PreparingForShutdown")
        return sd_bus_reply_method_return(call, "v", "b", *state.preparing ? 1 : 0);
    return sd_bus_reply_method_return(call, "v", "(st)", state.scheduled.c_str(), UINT64_C(0));
}

int on_message(sd_bus_message* message, void* userdata, sd_bus_error*) {
    std::uint8_t type = 0;
    sd_bus_message_get_type(message, &type);
    // 1 = taken care of: sd-bus sends no error of its own for what stays unanswered.
    if (type == SD_BUS_MESSAGE_METHOD_CALL) {
        reply(message, *static_cast<FakeState*>(userdata));
        return 1;
    }
    return 0;
}

}  // namespace

PrivateBus::PrivateBus() {
    std::string name = (fs::temp_directory_path() / "guestd-bus-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
    const auto address = "unix:path=" + (dir_ / "bus").string();
    std::ofstream{dir_ / "config"}
        << "<busconfig><type>system</type><listen>" << address << "</listen>"
        << "<policy context='default'><allow user='*'/><allow own='*'/>"
        << "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>"
        << "</policy></busconfig>";
    int ends[2];
    must(::pipe2(ends, O_CLOEXEC), "pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
    const std::string config = "--config-file=" + (dir_ / "config").string();
    const char* arguments[] = {"dbus-daemon", config.c_str(), "--nofork", "--print-address=3",
                               nullptr};
    must(-::posix_spawnp(&pid_, arguments[0], &actions, nullptr,
                         const_cast<char* const*>(arguments), environ),
         "dbus-daemon");
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    char byte = 0;  // the address is printed once it listens
    if (::read(ends[0], &byte, 1) != 1)
        throw std::runtime_error{"dbus-daemon does not start"};
    ::close(ends[0]);
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address.c_str(), 1);
}

PrivateBus::~PrivateBus() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    fs::remove_all(dir_);
}

void PrivateBus::freeze() {
    ::kill(pid_, SIGSTOP);
}

FakeManager::FakeManager(FakeState state) : state_(std::move(state)) {
    must(::pipe2(stop_, O_CLOEXEC), "pipe");
    sd_bus* bus = nullptr;
    must(sd_bus_open_system(&bus), "system bus");
    must(sd_bus_add_filter(bus, nullptr, on_message, &state_), "filter");
    must(sd_bus_request_name(bus, "org.freedesktop.systemd1", 0), "name");
    if (state_.preparing)
        must(sd_bus_request_name(bus, "org.freedesktop.login1", 0), "name");
    thread_ = std::thread{[this, bus] { serve(bus); }};
}

FakeManager::FakeManager(FakeState state, const fs::path& socket) : state_(std::move(state)) {
    must(::pipe2(stop_, O_CLOEXEC), "pipe");
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 8) != 0)
        throw std::runtime_error{"cannot listen"};
    thread_ = std::thread{[this, listener] { serve_socket(listener); }};
}

FakeManager::~FakeManager() {
    ::close(stop_[1]);
    thread_.join();
    ::close(stop_[0]);
}

void FakeManager::serve_socket(int listener) {
    pollfd fds[] = {{stop_[0], POLLIN, 0}, {listener, POLLIN, 0}};
    ::poll(fds, 2, -1);
    if ((fds[1].revents & POLLIN) != 0) {
        sd_id128_t id{};
        sd_id128_randomize(&id);
        sd_bus* bus = nullptr;
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        must(sd_bus_new(&bus), "bus");
        must(sd_bus_set_fd(bus, fd, fd), "fd");
        must(sd_bus_set_server(bus, 1, id), "server");
        must(sd_bus_add_filter(bus, nullptr, on_message, &state_), "filter");
        must(sd_bus_start(bus), "start");
        serve(bus);
    }
    ::close(listener);
}

void FakeManager::serve(sd_bus* bus) {
    for (;;) {
        const int processed = sd_bus_process(bus, nullptr);
        if (processed < 0)
            break;
        if (processed > 0)
            continue;
        const int events = sd_bus_get_events(bus);
        pollfd fds[] = {{stop_[0], POLLIN, 0},
                        {sd_bus_get_fd(bus), static_cast<short>(events < 0 ? 0 : events), 0}};
        ::poll(fds, 2, -1);
        if (fds[0].revents != 0)
            break;
    }
    sd_bus_close_unref(bus);
}

}  // namespace guestd::systemd::testing
