// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/paths.hpp"

#include <sys/epoll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "sensors/words.hpp"

namespace guestd::sensors {
namespace {

/// News that come during a look are kept for its result; of more than this, one is sure to matter.
constexpr std::size_t kMostHeard = 64;
/// For a dozen events; more come with the next turn of the loop.
constexpr std::size_t kReadBytes = 4096;

std::string why_not(const std::string& path, int error) {
    return error == ENOENT || error == ENOTDIR ? path + " does not exist"
                                               : path + ": " + words(error);
}

}  // namespace

PathNeed::PathNeed(systemd::Loop& loop, MountTable& table, Errands& errands, std::string path,
                   Times times, Reporter reporter)
    : loop_(loop),
      errands_(errands),
      path_(std::move(path)),
      times_(times),
      reporter_(std::move(reporter)),
      subscription_(table, [this] { look(); }) {
    listen();
    if (auto timer = loop.add_time(kNever, "path", [this] { look(); }))
        timer_ = std::move(*timer);
    if (auto timer = loop.add_time(kNever, "patience with a path", [this] { impatient(); }))
        patience_ = std::move(*timer);
    look();
}

/// Without an inotify of its own (there are few to be had) the timer does alone.
void PathNeed::listen() {
    inotify_ = std::make_shared<const Fd>(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!*inotify_)
        return;
    if (auto source =
            loop_.add_io(inotify_->number(), EPOLLIN, "path", [this](std::uint32_t) { heard(); }))
        source_ = std::move(*source);
}

void PathNeed::heard() {
    alignas(inotify_event) std::array<char, kReadBytes> events;
    const auto size = ::read(inotify_->number(), events.data(), events.size());
    bool matters = false;
    for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size);) {
        inotify_event event;
        std::memcpy(&event, events.data() + at, sizeof event);
        // The name is filled up with NULs.
        const char* name = events.data() + at + sizeof event;
        Lookout news{event.wd, event.len > 0 ? std::string{name} : std::string{}};
        at += sizeof event + event.len;
        // A watch is gone: a look took it away, or the reason for it has been told before this.
        if ((event.mask & IN_IGNORED) != 0)
            continue;
        matters = matters || (event.mask & IN_Q_OVERFLOW) != 0 || concerns(news);
        if (errand_ && heard_.size() < kMostHeard)
            heard_.push_back(std::move(news));
        else if (errand_)
            again_ = true;
    }
    if (matters)
        look();
}

bool PathNeed::concerns(const Lookout& news) const {
    return std::ranges::any_of(lookouts_, [&](const Lookout& lookout) {
        return lookout.watch == news.watch && (news.name.empty() || lookout.name == news.name);
    });
}

void PathNeed::look() {
    if (errand_) {
        again_ = true;
        return;
    }
    again_ = false;
    heard_.clear();
    errand_ = errands_.send<Look>([inotify = inotify_, path = path_,
                                   before = lookouts_] { return look_at(inotify, path, before); },
                                  [this](std::optional<Look> look) { looked(std::move(look)); });
    patience_.arm(loop_.now() + times_.patience);
}

void PathNeed::looked(std::optional<Look> look) {
    errand_.reset();
    patience_.disarm();
    timer_.arm(loop_.now() + times_.safety);
    if (!look)
        return reporter_.fails(path_ + " cannot be looked at: no thread for it");
    lookouts_ = std::move(look->lookouts);
    again_ =
        again_ || std::ranges::any_of(heard_, [&](const auto& news) { return concerns(news); });
    if (look->error == 0)
        reporter_.holds();
    else
        reporter_.fails(why_not(path_, look->error));
    if (again_)
        this->look();
}

/// The errand stays under way: when it comes back, it tells.
void PathNeed::impatient() {
    reporter_.fails(path_ + ": its file system does not answer");
}

}  // namespace guestd::sensors
