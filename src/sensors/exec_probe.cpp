// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/exec_probe.hpp"

#include <fmt/format.h>

namespace guestd::sensors {
namespace {

/// "30 s"; with what is less than a second, as tests have it.
std::string in_seconds(Duration time) {
    return fmt::format("{} s", std::chrono::duration<double>{time}.count());
}

ProgramOrder order_for(const Watch& watch) {
    return {std::get<Probe>(watch.what).target,
            {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
             "GUEST_UUID=" + watch.guest.uuid.str(), "GUEST_NAME=" + watch.name,
             "GUEST_URI=" + watch.uri}};
}

}  // namespace

ExecProbe::ExecProbe(systemd::Loop& loop, Undertaker& undertaker, Places& programs,
                     const Watch& watch, Times times, Reporter reporter)
    : loop_(loop),
      undertaker_(undertaker),
      programs_(programs),
      order_(order_for(watch)),
      times_(times),
      reporter_(std::move(reporter)) {
    if (auto timer = loop.add_time(kNever, "exec probe", [this] { on_time(); }))
        timer_ = std::move(*timer);
    queue();
}

void ExecProbe::on_time() {
    if (!program_)
        return queue();
    too_long_ = true;
    program_->kill();
    reporter_.fails("not done after " + in_seconds(times_.run));
}

void ExecProbe::queue() {
    place_ = programs_.ask([this] { run(); });
}

void ExecProbe::run() {
    too_long_ = false;
    auto program = Program::start(loop_, undertaker_, order_, std::move(place_),
                                  [this](const ProgramEnd& end) { ended(end); });
    if (!program)
        return again(program.error().message());
    program_ = std::move(*program);
    timer_.arm(loop_.now() + times_.run);
}

void ExecProbe::ended(const ProgramEnd& end) {
    program_.reset();
    if (end.success && !too_long_) {
        timer_.reset();
        return reporter_.holds();
    }
    again(too_long_ ? "not done after " + in_seconds(times_.run) : end.text);
}

void ExecProbe::again(std::string why) {
    timer_.arm(loop_.now() + times_.pause);
    reporter_.fails(std::move(why));
}

}  // namespace guestd::sensors
