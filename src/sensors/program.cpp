// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "sensors/child.hpp"
#include "sensors/words.hpp"

namespace guestd::sensors {
namespace {

/// What is kept of the output: its last line is shown, and a longer one is of no use to anybody.
constexpr std::size_t kKeptBytes = 4096;
/// A program that writes more than this is not saying anything; its next write fails.
constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kReadBytes = 16384;

struct Pipe {
    Fd read;
    Fd write;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail(ErrorCode::internal, "no pipe: " + words(errno));
    Pipe pipe{Fd{ends[0]}, Fd{ends[1]}};
    // Only our end: the program would not expect that of its own.
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return pipe;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> list;
    list.reserve(words.size() + 1);
    for (auto& word : words)
        list.push_back(word.data());
    list.push_back(nullptr);
    return list;
}

/// The process itself too: it may not lead its group yet.
void kill_group(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::kill(-pid, SIGKILL);
}

std::string last_line(std::string_view text) {
    const auto end = text.find_last_not_of("\r\n\t ");
    if (end == std::string_view::npos)
        return {};
    text = text.substr(0, end + 1);
    const auto start = text.find_last_of('\n');
    return std::string{start == std::string_view::npos ? text : text.substr(start + 1)};
}

std::string end_text(const siginfo_t& end) {
    if (end.si_code == CLD_EXITED)
        return "exit status " + std::to_string(end.si_status);
    return "killed by signal " + std::to_string(end.si_status);
}

}  // namespace

Undertaker::~Undertaker() {
    // Those that cannot be waited for go to init when we end.
    for (const auto& body : bodies_)
        ::waitpid(body.pid, nullptr, WNOHANG);
}

/// Those whose end nobody could be told of, for want of a file descriptor.
void Undertaker::bury_unattended() {
    std::erase_if(bodies_, [](const Body& body) {
        return !body.source && ::waitpid(body.pid, nullptr, WNOHANG) != 0;
    });
}

void Undertaker::take(pid_t pid, SharedFd pidfd, Places::Place place) {
    bury_unattended();
    bodies_.push_back({pid, std::move(pidfd), std::move(place), {}});
    const auto body = std::prev(bodies_.end());
    if (!body->pidfd)
        return;
    auto source = add_shared_io(loop_, body->pidfd, EPOLLIN, "ended program", [this, body] {
        kill_group(body->pid);
        ::waitpid(body->pid, nullptr, WNOHANG);
        bodies_.erase(body);
    });
    if (source)
        body->source = std::move(*source);
}

Program::Program(Undertaker& undertaker, Places::Place place, Ended ended)
    : undertaker_(undertaker), place_(std::move(place)), ended_(std::move(ended)) {}

Program::~Program() {
    if (pid_ == 0)
        return;
    kill();
    exit_source_.reset();
    undertaker_.take(pid_, std::move(pidfd_), std::move(place_));
}

Result<std::unique_ptr<Program>> Program::start(systemd::Loop& loop, Undertaker& undertaker,
                                                const ProgramOrder& order, Places::Place place,
                                                Ended ended) {
    std::unique_ptr<Program> program{new Program{undertaker, std::move(place), std::move(ended)}};
    auto started = program->launch(order);
    if (started)
        started = program->attend(loop);
    if (!started)
        return tl::unexpected<Error>{started.error()};
    return program;
}

Result<void> Program::launch(const ProgramOrder& order) {
    auto output = make_pipe();
    auto verdict = make_pipe();
    if (!output || !verdict)
        return tl::unexpected<Error>{(output ? verdict : output).error()};
    std::vector<std::string> arguments{order.path};
    std::vector<std::string> environment = order.environment;
    const auto argument_list = pointers(arguments);
    const auto environment_list = pointers(environment);
    const ChildPlan plan{.path = order.path.c_str(),
                         .arguments = argument_list.data(),
                         .environment = environment_list.data(),
                         .output = output->write.number(),
                         .verdict = verdict->write.number(),
                         .parent = ::getpid()};
    // No handler of ours may run in the child.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // Not posix_spawn, which waits until the program is loaded: from a dead file system, never.
    const pid_t pid = ::_Fork();
    if (pid == 0)
        become(plan);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0)
        return fail(ErrorCode::internal, "no process: " + words(error));
    pid_ = pid;
    output_ = share(std::move(output->read));
    verdict_ = std::move(verdict->read);
    return {};
}

Result<void> Program::attend(systemd::Loop& loop) {
    // By number: glibc 2.36 declares pidfd_open without "C" linkage.
    Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
    if (!pidfd)
        return fail(ErrorCode::internal, "no pidfd: " + words(errno));
    pidfd_ = share(std::move(pidfd));
    auto exited = add_shared_io(loop, pidfd_, EPOLLIN, "program", [this] { on_exit(); });
    auto written =
        add_shared_io(loop, output_, EPOLLIN, "program's output", [this] { read_output(); });
    if (!exited || !written)
        return tl::unexpected<Error>{(exited ? written : exited).error()};
    exit_source_ = std::move(*exited);
    output_source_ = std::move(*written);
    return {};
}

void Program::kill() {
    if (pid_ != 0)
        kill_group(pid_);
}

void Program::read_output() {
    std::array<char, kReadBytes> part;
    const auto count = ::read(output_->number(), part.data(), part.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count > 0) {
        text_.append(part.data(), static_cast<std::size_t>(count));
        if (text_.size() > kKeptBytes)
            text_.erase(0, text_.size() - kKeptBytes);
        read_bytes_ += static_cast<std::size_t>(count);
    }
    if (count <= 0 || read_bytes_ > kMostBytes) {
        output_source_.reset();
        output_.reset();
    }
}

void Program::on_exit() {
    // Still ours by number, as it has not been waited for.
    kill_group(pid_);
    siginfo_t end{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG);
    pid_ = 0;
    exit_source_.reset();
    // What was left in the pipe: of this size at most.
    for (int reads = 0; output_ && reads < 65536 / static_cast<int>(kReadBytes) + 1; ++reads)
        read_output();
    output_source_.reset();
    std::array<char, kKeptBytes> verdict;
    const auto size = ::read(verdict_.number(), verdict.data(), verdict.size());
    ProgramEnd result;
    result.success = end.si_code == CLD_EXITED && end.si_status == 0;
    if (size > 0)
        result.text.assign(verdict.data(), static_cast<std::size_t>(size));
    else if (!result.success)
        result.text = end_text(end);
    if (const auto line = last_line(text_); size <= 0 && !result.success && !line.empty())
        result.text += ": " + line;
    place_ = Places::Place{};
    const auto ended = std::move(ended_);
    ended(std::move(result));
}

}  // namespace guestd::sensors
