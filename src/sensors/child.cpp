// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/child.hpp"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace guestd::sensors {
namespace {

/// As shells have it, for "cannot be run".
constexpr int kNotRun = 126;
constexpr int kVerdict = 3;

void say(const char* text) {
    [[maybe_unused]] const auto written = ::write(kVerdict, text, std::strlen(text));
}

[[noreturn]] void refuse(const char* what, const char* why) {
    say(what);
    say(why);
    ::_exit(kNotRun);
}

/// strerror(3) may allocate.
const char* plain_words(int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return " does not exist";
        case EACCES:
            return " may not be run";
        case ENOEXEC:
            return " is no program";
        case E2BIG:
            return " cannot be run: its environment is too large";
        case ELOOP:
            return " leads through too many links";
        default:
            return " cannot be run";
    }
}

/// Signals that the daemon ignores or blocks, its umask and its place among those that are killed
/// last are not the program's.
void shed_habits(const ChildPlan& plan) {
    ::setsid();
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal)
        ::sigaction(signal, &plain, nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::umask(022);
    if (const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); score >= 0) {
        [[maybe_unused]] const auto written = ::write(score, "0", 1);
        ::close(score);
    }
    // The service's own group is not killed with the service, for the sake of guests in it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent)
        ::_exit(kNotRun);
}

/// Above the numbers that are about to be given out: pipes may have come to lie on any of them when
/// the daemon was started without standard streams.
int above(int fd) {
    return ::fcntl(fd, F_DUPFD_CLOEXEC, kVerdict + 1);
}

void arrange_files(const ChildPlan& plan) {
    const int output = above(plan.output);
    const int verdict = above(plan.verdict);
    const int null = above(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (::dup3(verdict, kVerdict, O_CLOEXEC) < 0)
        ::_exit(kNotRun);
    if (::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0 || ::chdir("/") != 0)
        refuse(plan.path, " cannot be run");
    // What a library opened without O_CLOEXEC.
    ::syscall(SYS_close_range, static_cast<unsigned>(kVerdict) + 1, ~0U, 0);
}

void check_owner(const char* path, const struct stat& status) {
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        refuse(path, " does not belong to root");
    // Also where a sticky bit keeps others from replacing what is there: they still add.
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        refuse(path, " can be written by others than its owner");
}

/// Every folder on the way to `path`, which is cut at each slash in turn, and mended again.
void check_folders(char* path) {
    for (char* slash = path; slash != nullptr; slash = std::strchr(slash + 1, '/')) {
        const char kept = slash[1];
        const bool top = slash == path;
        // The root folder keeps its slash.
        char* const cut = top ? slash + 1 : slash;
        const char before = top ? kept : '/';
        *cut = '\0';
        struct stat status {};
        if (::stat(path, &status) != 0)
            refuse(path, plain_words(errno));
        check_owner(path, status);
        *cut = before;
    }
}

/// Where the program really is, in `real`.
void find_program(const char* path, char (&real)[PATH_MAX]) {
    const int file = ::open(path, O_PATH | O_CLOEXEC);
    struct stat status {};
    if (file < 0 || ::fstat(file, &status) != 0)
        refuse(path, plain_words(errno));
    if (!S_ISREG(status.st_mode))
        refuse(path, " is no file");
    check_owner(path, status);
    char link[] = "/proc/self/fd/0000000000";
    char* digit = link + sizeof link - 2;
    for (int rest = file; rest > 0; rest /= 10)
        *digit-- = static_cast<char>('0' + rest % 10);
    // Leading zeroes are no names there: the number moves to the front.
    char* const number = link + sizeof "/proc/self/fd/" - 1;
    std::memmove(number, digit + 1, static_cast<std::size_t>(link + sizeof link - (digit + 1)));
    const auto size = ::readlink(link, real, PATH_MAX - 1);
    if (size <= 0 || real[0] != '/')
        refuse(path, " cannot be found");
    real[size] = '\0';
}

}  // namespace

void become(const ChildPlan& plan) noexcept {
    shed_habits(plan);
    arrange_files(plan);
    static char real[PATH_MAX];
    static char written[PATH_MAX];
    const auto length = std::strlen(plan.path);
    if (plan.path[0] != '/' || length >= sizeof written)
        refuse("its path", " is not absolute, or too long");
    std::memcpy(written, plan.path, length + 1);
    find_program(plan.path, real);
    check_folders(written);
    check_folders(real);
    ::execve(real, plan.arguments, plan.environment);
    refuse(plan.path, plain_words(errno));
}

}  // namespace guestd::sensors
