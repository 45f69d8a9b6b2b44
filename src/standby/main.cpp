// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stand-by MARK PROGRAM [ARGUMENT...], for guestd-finish.service: waits until its parent, systemd,
// tells it to stop (SIGTERM), and becomes PROGRAM then, unless there is a file MARK.
//
// It runs, in its sandbox, as long as the host is up: to start a program in a sandbox takes 50 ms
// at the end of a host, where it is hardly ever needed. So it is small: no library but libc.
//
// A stop by anybody else is not heard: `pkill -f guestd` while guestd drains would begin a second
// drain beside it. Its name is not guestd's, so that who ends all of those leaves it alone.
#include <unistd.h>

#include <csignal>
#include <cstdio>

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "stand-by is run by guestd-finish.service; see guestd(8)\n");
        return 2;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    siginfo_t sent{};
    while (sigwaitinfo(&stop, &sent) < 0 || sent.si_pid != getppid()) {
    }
    if (access(argv[1], F_OK) == 0)
        return 0;
    // The program is to hear its own stop.
    sigprocmask(SIG_UNBLOCK, &stop, nullptr);
    execv(argv[2], argv + 2);
    std::perror(argv[2]);
    return 1;
}
