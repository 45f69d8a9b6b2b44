// SPDX-License-Identifier: LGPL-2.1-or-later
#include "private_libvirtd.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <stdexcept>

#include "libvirt/event_thread.hpp"

namespace guestd::test {

namespace {

constexpr int kFirstPassedFd = 3;  // sd_listen_fds(3)

std::filesystem::path make_folder() {
    // Not below a long TMPDIR: the path of a socket has 108 bytes.
    char name[] = "/tmp/guestd-virt-XXXXXX";
    if (mkdtemp(name) == nullptr) {
        throw std::runtime_error{"mkdtemp"};
    }
    return name;
}

}  // namespace

PrivateLibvirtd::PrivateLibvirtd(Driver driver) : folder_(make_folder()) {
    // The keeper may write to a libvirtd that has just been killed.
    signal(SIGPIPE, SIG_IGN);
    // Before the first connection, or the keeper would have no keepalive and later ones no events.
    libvirt::EventThread::instance();
    // Each is a host of its own, or guests could not migrate from one to the other.
    std::string host;
    std::ifstream{"/proc/sys/kernel/random/uuid"} >> host;
    std::ofstream{folder_ / "libvirtd.conf"} << "auth_unix_rw = \"none\"\n"
                                                "max_anonymous_clients = 100\n"
                                                "host_uuid = \""
                                             << host << "\"\n";
    // Or QEMU's driver starts a virtlogd, which stays for two minutes.
    std::filesystem::create_directory(folder_ / "libvirt");
    std::ofstream{folder_ / "libvirt/qemu.conf"} << "stdio_handler = \"file\"\n";
    if (geteuid() == 0) {
        const passwd* nobody = getpwnam("nobody");
        if (nobody == nullptr || chown(folder_.c_str(), nobody->pw_uid, nobody->pw_gid) != 0 ||
            chown((folder_ / "libvirt").c_str(), nobody->pw_uid, nobody->pw_gid) != 0) {
            throw std::runtime_error{"no user to run libvirtd as"};
        }
    }
    uri_ = (driver == Driver::test ? "test+unix:///default" : "qemu+unix:///session") +
           ("?socket=" + (folder_ / "sock").string());
    start();
}

PrivateLibvirtd::~PrivateLibvirtd() {
    // After a kill the keeper is dead and closes without a question.
    kill();
    keeper_.reset();
    if (socket_ >= 0) {
        close(socket_);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void PrivateLibvirtd::listen() {
    const auto path = (folder_ / "sock").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0 ||
        bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket_, SOMAXCONN) != 0) {
        throw std::runtime_error{"listening on " + path};
    }
    // For another libvirtd, which does not run as we do.
    std::filesystem::permissions(path, std::filesystem::perms{0666});
}

void PrivateLibvirtd::become_libvirtd() const {
    // A session of its own: the kernel ends stopped processes of an orphaned group.
    setsid();
    const auto log = open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (dup2(socket_, kFirstPassedFd) == socket_) {
        fcntl(kFirstPassedFd, F_SETFD, 0);  // the same number keeps its close-on-exec
    }
    close_range(kFirstPassedFd + 1, ~0U, 0);
    if (geteuid() == 0) {
        const passwd* nobody = getpwnam("nobody");
        if (setgroups(0, nullptr) != 0 || setgid(nobody->pw_gid) != 0 ||
            setuid(nobody->pw_uid) != 0) {
            _exit(126);
        }
    }
    // After setuid(), which clears it: a test that is killed leaves no libvirtd behind.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    clearenv();
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    for (const char* name : {"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"}) {
        setenv(name, folder_.c_str(), 1);
    }
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "libvirtd.socket", 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    const auto config = (folder_ / "libvirtd.conf").string();
    const auto pidfile = (folder_ / "pid").string();
    execlp("libvirtd", "libvirtd", "-f", config.c_str(), "-p", pidfile.c_str(), nullptr);
    _exit(127);
}

void PrivateLibvirtd::start() {
    if (socket_ < 0) {
        listen();
    }
    pid_ = fork();
    if (pid_ == 0) {
        become_libvirtd();
    }
    keeper_.reset(virConnectOpen(uri_.c_str()));
    if (!keeper_) {
        throw std::runtime_error{"the private libvirtd does not start"};
    }
}

void PrivateLibvirtd::kill() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
}

void PrivateLibvirtd::freeze() const {
    ::kill(pid_, SIGSTOP);
    // Stopped only when the kernel says so.
    waitpid(pid_, nullptr, WUNTRACED);
}

void PrivateLibvirtd::thaw() const {
    ::kill(pid_, SIGCONT);
}

void PrivateLibvirtd::take_socket_away() {
    close(socket_);
    socket_ = -1;
    std::filesystem::remove(folder_ / "sock");
}

Uuid PrivateLibvirtd::define_xml(const std::string& xml) const {
    const libvirt::DomainPtr made{virDomainDefineXML(keeper(), xml.c_str())};
    if (!made) {
        throw std::runtime_error{std::string{"defining a guest: "} + virGetLastErrorMessage()};
    }
    return libvirt::uuid_of(made.get());
}

Uuid PrivateLibvirtd::define(const std::string& name, const std::string& extra) const {
    return define_xml("<domain type='test'><name>" + name +
                      "</name><memory unit='MiB'>64</memory><os><type>hvm</type></os>" + extra +
                      "</domain>");
}

libvirt::DomainPtr PrivateLibvirtd::domain(const Uuid& uuid) const {
    return libvirt::DomainPtr{virDomainLookupByUUID(keeper(), uuid.raw().data())};
}

}  // namespace guestd::test
