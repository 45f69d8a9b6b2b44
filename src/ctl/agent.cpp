// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/agent.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>

namespace guestd::ctl {
namespace {

constexpr const char* kProgram = "/usr/bin/pkttyagent";
/// It registers in milliseconds; polkit itself may have to be started for it.
constexpr std::chrono::milliseconds kRegisterWithin = std::chrono::seconds{10};

/// -1 when it could not be started.
pid_t spawn_agent(int notify) {
    const std::string number = std::to_string(notify);
    const std::array<const char*, 5> words = {kProgram, "--notify-fd", number.c_str(), "--fallback",
                                              nullptr};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    pid_t pid = -1;
    // Onto itself: that takes its close-on-exec away in the child.
    if (posix_spawn_file_actions_adddup2(&actions, notify, notify) != 0 ||
        posix_spawn(&pid, kProgram, &actions, nullptr, const_cast<char* const*>(words.data()),
                    environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

}  // namespace

TerminalAgent::TerminalAgent() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) < 0)
        return;
    pid_ = spawn_agent(ends[1]);
    close(ends[1]);
    // It closes its end once it is registered, or ends.
    pollfd registered{ends[0], POLLIN, 0};
    if (pid_ > 0)
        poll(&registered, 1, static_cast<int>(kRegisterWithin.count()));
    close(ends[0]);
}

TerminalAgent::~TerminalAgent() {
    if (pid_ <= 0)
        return;
    kill(pid_, SIGTERM);
    // Stopped by the terminal, it would not hear that.
    kill(pid_, SIGCONT);
    waitpid(pid_, nullptr, 0);
}

}  // namespace guestd::ctl
