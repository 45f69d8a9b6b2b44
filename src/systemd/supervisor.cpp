// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/supervisor.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <ctime>

#include "systemd/escape.hpp"

namespace guestd::systemd {
namespace {

/// People read it in one line of `systemctl status`; systemd takes at most 4 KiB per datagram.
constexpr std::size_t kLongestStatus = 500;

void notify(const std::string& text) {
    sd_notify(0, text.c_str());
}

}  // namespace

void SystemdSupervisor::ready() {
    notify("READY=1");
}

void SystemdSupervisor::reloading() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    // The time is for Type=notify-reload (systemd 253), which wants to know that this answers its
    // own request and not an earlier one; others ignore it.
    notify("RELOADING=1\nMONOTONIC_USEC=" +
           std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void SystemdSupervisor::stopping() {
    notify("STOPPING=1");
}

void SystemdSupervisor::status(const std::string& text) {
    notify("STATUS=" + escaped(text, kLongestStatus));
}

void SystemdSupervisor::extend_timeout(Duration time) {
    notify("EXTEND_TIMEOUT_USEC=" + std::to_string(std::max<Duration::rep>(time.count(), 0)));
}

}  // namespace guestd::systemd
