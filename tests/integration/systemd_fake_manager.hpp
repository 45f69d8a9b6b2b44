// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Stand-ins for systemd and logind: on a private dbus-daemon that plays the system bus, and behind
/// a socket that plays systemd's own. What they answer is set before they start.

#include <systemd/sd-bus.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace guestd::systemd::testing {

struct FakeState {
    std::string system_state = "running";
    std::vector<std::pair<std::string, std::string>> jobs;  ///< unit and job type
    bool refuse_jobs = false;
    std::optional<bool> preparing;  ///< empty: there is no logind
    std::string scheduled;
    bool logind_hangs = false;  ///< it is on the bus, and never answers
};

/// A dbus-daemon, and DBUS_SYSTEM_BUS_ADDRESS, for the life of the object.
class PrivateBus {
public:
    PrivateBus();
    ~PrivateBus();
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;
    /// SIGSTOP: connects, and then nothing.
    void freeze();
    const std::filesystem::path& dir() const { return dir_; }

private:
    std::filesystem::path dir_;
    int pid_ = -1;
};

/// Answers in a thread of its own until destroyed.
class FakeManager {
public:
    /// On the system bus; ready when the constructor returns.
    explicit FakeManager(FakeState state);
    /// Behind this socket, without a bus.
    FakeManager(FakeState state, const std::filesystem::path& socket);
    ~FakeManager();
    FakeManager(const FakeManager&) = delete;
    FakeManager& operator=(const FakeManager&) = delete;

private:
    void serve(sd_bus* bus);
    void serve_bus();
    void serve_socket(int listener);

    FakeState state_;
    int stop_[2] = {-1, -1};
    std::thread thread_;
};

}  // namespace guestd::systemd::testing
