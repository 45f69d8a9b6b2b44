// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/mounts.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

#include "sensors/proc_text.hpp"

namespace guestd::sensors {
namespace {

using namespace std::chrono_literals;

/// A host that starts hundreds of containers changes its table hundreds of times a second, and
/// reading it takes milliseconds.
constexpr Duration kLeastGap = 100ms;

}  // namespace

MountTable::Subscription::Subscription(MountTable& table, Listener listener) : table_(table) {
    if (table.listeners_.empty())
        table.start();
    place_ = table.listeners_.insert(table.listeners_.end(), std::move(listener));
}

MountTable::Subscription::~Subscription() {
    table_.listeners_.erase(place_);
    if (table_.listeners_.empty())
        table_.stop();
}

MountTable::MountTable(systemd::Loop& loop, std::string proc, Duration safety)
    : loop_(loop), proc_(std::move(proc)), safety_(safety) {}

void MountTable::start() {
    if (!open_at(proc_ + "/1/mountinfo"))
        open_at(proc_ + "/self/mountinfo");
    if (auto timer = loop_.add_time(kNever, "mount table", [this] { read(); }))
        timer_ = std::move(*timer);
    last_read_ = loop_.now();
    mounts_.reset();
    if (const auto text = read_text(path_))
        mounts_ = parse_mountinfo(*text);
    timer_.arm(last_read_ + safety_);
}

void MountTable::stop() {
    source_.reset();
    timer_.reset();
    fd_ = Fd{};
}

bool MountTable::open_at(const std::string& path) {
    path_ = path;
    fd_ = Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!fd_)
        return false;
    // Refused for a plain file, which is left to the timer.
    if (auto source = loop_.add_io(fd_.number(), EPOLLPRI, "mount table",
                                   [this](std::uint32_t) { changed(); }))
        source_ = std::move(*source);
    return true;
}

void MountTable::changed() {
    timer_.arm(std::max(last_read_ + kLeastGap, loop_.now()));
}

void MountTable::read() {
    last_read_ = loop_.now();
    const auto text = read_text(path_);
    mounts_.reset();
    if (text)
        mounts_ = parse_mountinfo(*text);
    timer_.arm(last_read_ + safety_);
    for (const auto& listener : listeners_)
        listener();
}

MountNeed::MountNeed(MountTable& table, Errands& errands, const std::string& path,
                     Reporter reporter)
    : table_(table),
      errands_(errands),
      path_(plain_path(path)),
      reporter_(std::move(reporter)),
      subscription_(table, [this] { judge(); }) {
    judge();
}

void MountNeed::judge() {
    if (!table_.mounts())
        return reporter_.fails("the table of mounts cannot be read");
    switch (mounted_at(*table_.mounts(), path_)) {
        case MountState::none:
            return reporter_.fails(path_ + " is not mounted");
        case MountState::trap:
            spring_trap();
            return reporter_.fails(path_ + " is an automount point with nothing mounted yet");
        case MountState::mounted:
            return reporter_.holds();
    }
}

/// The guest that would use the path is held until it is mounted, and nothing is mounted until
/// somebody uses the path. Whoever that is may have to wait for a server that is down.
void MountNeed::spring_trap() {
    if (knock_)
        return;
    knock_ = errands_.send<bool>(
        [inside = path_ + "/."] {
            return static_cast<bool>(Fd{::open(inside.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)});
        },
        [this](std::optional<bool>) { knock_.reset(); });
}

}  // namespace guestd::sensors
