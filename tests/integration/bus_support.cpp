// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus_support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <stdexcept>

namespace guestd::bus::test {
namespace {

/// No event of a working program takes this long, not even under valgrind on a busy machine.
constexpr std::chrono::seconds kLimit{30};

void fail_if(bool failed, const char* doing) {
    if (failed)
        throw std::runtime_error{std::string{"test support: cannot "} + doing};
}

constexpr const char* kBusConfig = R"(<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="method_return"/>
    <allow send_type="error"/>
    <allow send_type="signal"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
)";

std::filesystem::path guestctl_path() {
    if (const char* path = std::getenv("GUESTCTL"))
        return path;
    // …/tests/integration_tests and …/guestctl
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "guestctl";
}

}  // namespace

PrivateBus::PrivateBus() {
    std::string name = (std::filesystem::temp_directory_path() / "guestd-bus-XXXXXX").string();
    fail_if(mkdtemp(name.data()) == nullptr, "make a folder");
    folder_ = name;
    // Other users must get at the socket.
    std::filesystem::permissions(folder_, std::filesystem::perms{0755});
    std::string config = kBusConfig;
    config.replace(config.find("SOCKET"), 6, (folder_ / "bus").string());
    std::ofstream{folder_ / "bus.conf"} << config;
    setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + (folder_ / "bus").string()).c_str(), 1);
    start();
}

PrivateBus::~PrivateBus() {
    stop();
    std::filesystem::remove_all(folder_);
}

// The daemon prints its address once it listens: that line is waited for.
void PrivateBus::start() {
    const std::string config = "--config-file=" + (folder_ / "bus.conf").string();
    std::array<int, 2> ready{};
    fail_if(pipe2(ready.data(), O_CLOEXEC) < 0, "make a pipe");
    daemon_ = fork();
    fail_if(daemon_ < 0, "fork");
    if (daemon_ == 0) {
        // A test that is killed leaves no bus behind.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ready[1], STDOUT_FILENO);
        execlp("dbus-daemon", "dbus-daemon", config.c_str(), "--nofork", "--print-address=1",
               nullptr);
        _exit(127);
    }
    close(ready[1]);
    char byte = 0;
    fail_if(read(ready[0], &byte, 1) != 1, "start dbus-daemon");
    close(ready[0]);
}

void PrivateBus::stop() {
    if (daemon_ < 0)
        return;
    kill(daemon_, SIGTERM);
    waitpid(daemon_, nullptr, 0);
    daemon_ = -1;
    std::filesystem::remove(folder_ / "bus");
}

void PrivateBus::freeze() {
    fail_if(kill(daemon_, SIGSTOP) < 0, "freeze dbus-daemon");
    int status = 0;
    fail_if(waitpid(daemon_, &status, WUNTRACED) != daemon_ || !WIFSTOPPED(status),
            "see dbus-daemon frozen");
}

void PrivateBus::thaw() {
    kill(daemon_, SIGCONT);
}

StatusView StubFacade::status() const {
    if (on_status)
        on_status();
    return status_view;
}

std::optional<ProgressView> StubFacade::progress() const {
    ++progress_asked;
    if (on_progress)
        on_progress();
    return progress_view;
}

std::vector<GuestView> StubFacade::guests(const std::vector<std::string>& globs) const {
    ++guests_asked;
    std::vector<GuestView> found;
    for (const auto& guest : guest_views)
        for (const auto& glob : globs.empty() ? std::vector{guest.name} : globs)
            if (glob == guest.name)
                found.push_back(guest);
    return found;
}

Result<std::vector<MetadataView>> StubFacade::metadata(
    const std::vector<std::string>& globs) const {
    metadata_asked.push_back(globs.size());
    if (metadata_error)
        return tl::unexpected<Error>{*metadata_error};
    std::vector<MetadataView> found;
    std::size_t bytes = 0;
    for (const auto& view : metadata_views)
        if (globs.empty() || std::ranges::find(globs, view.uuid.str()) != globs.end()) {
            found.push_back(view);
            bytes += view.metadata.size();
        }
    if (bytes > kMostMetadata)
        return fail(ErrorCode::refused, "too much for one answer");
    return found;
}

void StubFacade::runs(unsigned limit, Reply<std::vector<RunView>> reply) {
    if (drop_replies)
        return;
    if (keep_replies)
        return kept_replies.push_back(std::move(reply));
    if (error)
        return reply(tl::unexpected<Error>{*error});
    auto views = run_views;
    if (views.size() > limit)
        views.resize(limit);
    reply(views);
}

void StubFacade::run_guests(RunId run, Reply<std::vector<RunGuestRecord>> reply) {
    std::vector<RunGuestRecord> found;
    for (const auto& record : run_guest_records)
        if (record.run == run)
            found.push_back(record);
    reply(found);
}

void StubFacade::run_spans(RunId run, Reply<std::vector<SpanRecord>> reply) {
    std::vector<SpanRecord> found;
    for (const auto& record : span_records)
        if (record.run == run)
            found.push_back(record);
    reply(found);
}

Result<std::vector<SettingView>> StubFacade::explain(const std::string& guest,
                                                     std::optional<Trigger> trigger) const {
    auto views = setting_views;
    views.push_back({"asked", guest, trigger ? std::string{to_string(*trigger)} : "outside"});
    return views;
}

Result<RunId> StubFacade::new_run() {
    if (error)
        return tl::unexpected<Error>{*error};
    if (on_run)
        on_run(next_run);
    return next_run++;
}

Result<RunId> StubFacade::boot(const BootRequest& request) {
    boots.push_back(request);
    return new_run();
}

Result<RunId> StubFacade::drain(const DrainRequest& request) {
    drains.push_back(request);
    return new_run();
}

Result<bool> StubFacade::cancel(RunId run) {
    cancels.push_back(run);
    return run != 99;
}

Result<bool> StubFacade::remember(const std::string& uri, const Uuid& uuid) {
    if (error)
        return tl::unexpected<Error>{*error};
    return remembered.insert(uri + " " + uuid.str()).second;
}

Result<bool> StubFacade::forget(const std::string& uri, const Uuid& uuid) {
    forgotten.push_back(uri + " " + uuid.str());
    return true;
}

Result<void> StubFacade::reload() {
    if (error)
        return tl::unexpected<Error>{*error};
    ++reloads;
    return {};
}

Guestd::Guestd(StubFacade& facade) : facade_(facade), wake_(eventfd(0, EFD_CLOEXEC)) {
    fail_if(wake_ < 0, "make an eventfd");
    thread_ = std::thread{[this] { loop(); }};
    wait_for_remark("connected to the bus");
}

Guestd::~Guestd() {
    {
        const std::lock_guard lock{mutex_};
        stop_ = true;
    }
    eventfd_write(wake_, 1);
    thread_.join();
    close(wake_);
}

void Guestd::loop() {
    sd_event_new(&event_);
    {
        Server server{event_, facade_, [this](const std::string& remark) {
                          const std::lock_guard lock{mutex_};
                          remarks_.push_back(remark);
                          changed_.notify_all();
                      }};
        server_ = &server;
        sd_event_add_io(event_, nullptr, wake_, EPOLLIN, on_work, this);
        sd_event_loop(event_);
    }
    sd_event_unref(event_);
}

int Guestd::on_work(sd_event_source*, int fd, std::uint32_t, void* userdata) noexcept {
    auto& self = *static_cast<Guestd*>(userdata);
    eventfd_t value = 0;
    eventfd_read(fd, &value);
    std::unique_lock lock{self.mutex_};
    if (self.stop_)
        return sd_event_exit(self.event_, 0);
    if (const auto* const work = self.work_) {
        lock.unlock();  // the work may make the server say something
        (*work)(*self.server_);
        lock.lock();
    }
    self.work_ = nullptr;
    self.changed_.notify_all();
    return 0;
}

void Guestd::on_loop(const std::function<void(Server&)>& work) {
    std::unique_lock lock{mutex_};
    work_ = &work;
    eventfd_write(wake_, 1);
    fail_if(!changed_.wait_for(lock, kLimit, [this] { return work_ == nullptr; }),
            "reach the loop");
}

void Guestd::wait_until_idle() {
    std::promise<void> idle;
    const auto on_idle = [](sd_event_source*, void* promise) {
        static_cast<std::promise<void>*>(promise)->set_value();
        return 0;
    };
    sd_event_source* source = nullptr;
    on_loop([&](Server&) {
        fail_if(sd_event_add_defer(event_, &source, on_idle, &idle) < 0, "watch the loop");
        sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    });
    fail_if(idle.get_future().wait_for(kLimit) != std::future_status::ready, "see the loop idle");
    on_loop([&](Server&) { sd_event_source_unref(source); });
}

void Guestd::wait_for_remark(const std::string& text) {
    std::unique_lock lock{mutex_};
    const auto said = [&] {
        for (const auto& remark : remarks_)
            if (remark.find(text) != std::string::npos)
                return true;
        return false;
    };
    fail_if(!changed_.wait_for(lock, kLimit, said), "hear the remark");
    remarks_.clear();
}

Guestctl::Guestctl(const std::vector<std::string>& arguments, unsigned short terminal, uid_t uid) {
    const std::string program = guestctl_path().string();
    std::vector<char*> argv{const_cast<char*>("guestctl")};
    for (const auto& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    fail_if(pipe2(out.data(), O_CLOEXEC) < 0 || pipe2(err.data(), O_CLOEXEC) < 0, "make a pipe");
    winsize size{.ws_row = 40, .ws_col = terminal};
    int pty = -1;
    pid_ = terminal == 0 ? fork() : forkpty(&pty, nullptr, nullptr, &size);
    fail_if(pid_ < 0, "fork");
    if (pid_ == 0) {
        if (terminal == 0)
            dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        if (uid != 0 && setresuid(uid, uid, uid) != 0)
            _exit(126);
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        unsetenv("COLUMNS");
        execv(program.c_str(), argv.data());
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    err_ = err[0];
    out_ = terminal == 0 ? out[0] : pty;
    if (terminal != 0)
        close(out[0]);
}

Guestctl::~Guestctl() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    close(out_);
    close(err_);
}

/// Reads from whichever has something; false when both have ended.
bool Guestctl::read_some() {
    std::array<pollfd, 2> fds{pollfd{out_open_ ? out_ : -1, POLLIN, 0},
                              pollfd{err_open_ ? err_ : -1, POLLIN, 0}};
    if (!out_open_ && !err_open_)
        return false;
    const auto limit = std::chrono::milliseconds{kLimit}.count();
    fail_if(poll(fds.data(), fds.size(), static_cast<int>(limit)) <= 0, "hear from guestctl");
    const auto take = [](const pollfd& from, std::string& into, bool& open) {
        if (from.revents == 0)
            return;
        std::array<char, 4096> buffer{};
        // A terminal ends with EIO.
        const ssize_t count = read(from.fd, buffer.data(), buffer.size());
        open = count > 0;
        if (open)
            into.append(buffer.data(), static_cast<std::size_t>(count));
    };
    take(fds[0], finished_.out, out_open_);
    take(fds[1], finished_.err, err_open_);
    return true;
}

bool Guestctl::read_until(const std::string& text) {
    while (finished_.out.find(text) == std::string::npos &&
           finished_.err.find(text) == std::string::npos)
        if (!read_some())
            return false;
    return true;
}

void Guestctl::type(const std::string& text) {
    fail_if(write(out_, text.data(), text.size()) < 0, "type");
}

Finished Guestctl::finish() {
    while (read_some()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    finished_.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return finished_;
}

}  // namespace guestd::bus::test
