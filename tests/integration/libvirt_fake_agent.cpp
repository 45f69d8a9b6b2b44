// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt_fake_agent.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <vector>

namespace guestd::test {

namespace {

constexpr auto kScript =
    "#!/bin/bash\nexec /usr/bin/qemu-system-x86_64 \"${@//virtserialport/virtconsole}\"\n";
/// As a Linux guest with containers has them; only the second is libvirt's.
constexpr auto kInterfaces = R"({"return":[
{"name":"docker0","hardware-address":"02:42:00:00:00:01",
 "ip-addresses":[{"ip-address-type":"ipv4","ip-address":"172.17.0.1","prefix":16}]},
{"name":"eth0","hardware-address":"52:54:00:12:34:56",
 "ip-addresses":[{"ip-address-type":"ipv6","ip-address":"fe80::1","prefix":64},
                 {"ip-address-type":"ipv4","ip-address":"192.0.2.5","prefix":24}]}]})";

std::chrono::nanoseconds host_time() {
    return std::chrono::system_clock::now().time_since_epoch();
}

/// What stands behind `key` in a line of JSON that libvirt has written; no more is needed here.
std::string value_of(const std::string& line, const std::string& key) {
    const auto at = line.find("\"" + key + "\":");
    if (at == std::string::npos) {
        return {};
    }
    auto begin = at + key.size() + 3;
    begin += line[begin] == '"' ? 1 : 0;
    return line.substr(begin, line.find_first_of("\",}", begin) - begin);
}

std::string without_newlines(std::string text) {
    std::erase(text, '\n');
    return text;
}

}  // namespace

FakeAgent::FakeAgent(const std::filesystem::path& folder, const std::string& name, Manner manner)
    : socket_path_(folder / (name + ".agent")),
      emulator_(folder / "agent-emulator"),
      manner_(manner) {
    // Once: libvirt asks each emulator what it can, and that takes seconds.
    if (!std::filesystem::exists(emulator_)) {
        std::ofstream{emulator_} << kScript;
        std::filesystem::permissions(emulator_, std::filesystem::perms{0755});
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path_.c_str(), sizeof address.sun_path - 1);
    socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    over_ = eventfd(0, EFD_CLOEXEC);
    if (socket_ < 0 || over_ < 0 ||
        bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(socket_, SOMAXCONN) != 0) {
        throw std::runtime_error{"listening on " + socket_path_.string()};
    }
    std::filesystem::permissions(socket_path_, std::filesystem::perms{0666});
    thread_ = std::thread{[this] { run(); }};
}

FakeAgent::~FakeAgent() {
    eventfd_write(over_, 1);
    thread_.join();
    close(socket_);
    close(over_);
}

std::string FakeAgent::devices() const {
    return "<emulator>" + emulator_.string() +
           "</emulator><channel type='unix'><source mode='connect' path='" + socket_path_.string() +
           "'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
}

void FakeAgent::run() {
    std::map<int, std::string> clients;  // with what of a line has come
    while (true) {
        std::vector<pollfd> wait{{over_, POLLIN, 0}, {socket_, POLLIN, 0}};
        for (const auto& [client, text] : clients) {
            wait.push_back({client, POLLIN, 0});
        }
        poll(wait.data(), wait.size(), -1);
        if (wait[0].revents != 0) {
            break;
        }
        if (wait[1].revents != 0) {
            clients[accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)] = "";
        }
        for (std::size_t i = 2; i < wait.size(); ++i) {
            char bytes[4096];
            const int client = wait[i].fd;
            const auto count = wait[i].revents != 0 ? read(client, bytes, sizeof bytes) : -1;
            if (wait[i].revents != 0 && count <= 0) {
                close(client);
                clients.erase(client);
                continue;
            }
            auto& text = clients[client];
            text.append(bytes, count > 0 ? static_cast<std::size_t>(count) : 0);
            for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
                const auto reply = answer(text.substr(0, end));
                text.erase(0, end + 1);
                if (!reply.empty()) {
                    send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
                }
            }
        }
    }
    for (const auto& [client, text] : clients) {
        close(client);
    }
}

std::string FakeAgent::answer(const std::string& line) {
    const auto command = value_of(line, "execute");
    if (manner_ == Manner::deaf) {
        return "";
    }
    if (command == "guest-sync") {
        return "{\"return\":" + value_of(line, "id") + "}\n";
    }
    if (manner_ == Manner::silent) {
        return "";
    }
    if (manner_ == Manner::refusing) {
        return "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Command " + command +
               " has been disabled\"}}\n";
    }
    return execute(command, line) + "\n";
}

std::string FakeAgent::execute(const std::string& command, const std::string& line) {
    if (command == "guest-get-time") {
        return "{\"return\":" + std::to_string((host_time() + offset()).count()) + "}";
    }
    if (command == "guest-set-time") {
        const std::chrono::nanoseconds time{std::stoll(value_of(line, "time"))};
        if (manner_ != Manner::stubborn) {
            offset_ = time - host_time();
        }
        return manner_ == Manner::clockless
                   ? "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no hardware clock\"}}"
                   : "{\"return\":{}}";
    }
    if (command == "guest-network-get-interfaces") {
        return without_newlines(kInterfaces);
    }
    return "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"unknown command\"}}";
}

}  // namespace guestd::test
