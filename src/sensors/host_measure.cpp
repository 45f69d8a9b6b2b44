// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/host_measure.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/epoll.h>
#include <sys/vfs.h>

#include <algorithm>
#include <string_view>

#include "sensors/proc_text.hpp"

namespace guestd::sensors {
namespace {

using namespace std::chrono_literals;

/// What the core is promised.
constexpr Duration kInterval = 1s;
/// Somebody waited for 15 % of the time: well below every threshold worth setting, and rare on an
/// idle host. At most one word per window and file comes of it. Without CAP_SYS_RESOURCE the window
/// must be a multiple of two seconds (Linux 6.5).
constexpr std::array<std::string_view, 2> kTriggers = {"some 150000 1000000",
                                                       "some 300000 2000000"};
constexpr std::array kResources = {"io", "cpu", "memory"};

std::optional<double> pressure_of(const std::string& proc, const char* resource) {
    const auto text = read_text(proc + "/pressure/" + resource);
    return text ? parse_pressure(*text) : std::nullopt;
}

/// Writing a trigger into any other file would spoil it.
bool is_of_kernel(int fd) {
    struct statfs status {};
    return ::fstatfs(fd, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

}  // namespace

HostMeasure::HostMeasure(systemd::Loop& loop, const std::string& proc, EventSink sink)
    : loop_(loop), proc_(proc), sink_(std::move(sink)) {
    for (std::size_t index = 0; index < triggers_.size(); ++index)
        arm_trigger(triggers_[index], proc + "/pressure/" + kResources[index]);
    if (auto timer = loop.add_time(kNever, "host measure", [this] { measure(); }))
        timer_ = std::move(*timer);
    measure();
}

void HostMeasure::arm_trigger(Trigger& trigger, const std::string& path) {
    Fd fd{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK)};
    if (!fd || !is_of_kernel(fd.number()))
        return;
    // The kernel wants the closing NUL too.
    const bool taken = std::ranges::any_of(kTriggers, [&](std::string_view words) {
        return ::write(fd.number(), words.data(), words.size() + 1) > 0;
    });
    if (!taken)
        return;
    trigger.fd = std::move(fd);
    auto source =
        loop_.add_io(trigger.fd.number(), EPOLLPRI, "pressure",
                     [this, &trigger](std::uint32_t revents) { on_trigger(trigger, revents); });
    if (source)
        trigger.source = std::move(*source);
    else
        trigger.fd = Fd{};
}

void HostMeasure::on_trigger(Trigger& trigger, std::uint32_t revents) {
    // The trigger is no more, and would say so for ever.
    if ((revents & EPOLLERR) != 0)
        trigger.source.reset();
    measure();
}

void HostMeasure::measure() {
    timer_.arm(loop_.now() + kInterval);
    HostMeasured measured;
    measured.io = pressure_of(proc_, "io");
    measured.cpu = pressure_of(proc_, "cpu");
    measured.memory = pressure_of(proc_, "memory");
    if (const auto text = read_text(proc_ + "/meminfo"))
        measured.available = parse_available(*text);
    sink_(measured);
}

}  // namespace guestd::sensors
