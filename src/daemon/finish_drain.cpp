// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/finish_drain.hpp"

#include <utility>

#include "daemon/app.hpp"
#include "systemd/message_ids.hpp"
#include "systemd/unit_file.hpp"

namespace guestd::daemon {
namespace {

using systemd::CannotTell;
using systemd::FateQuery;
using systemd::HostFate;

/// In the middle of a shutdown systemd and the bus may need some time for an answer; of the minute
/// that the unit has, this leaves enough for a start.
constexpr Duration kAskFor = std::chrono::seconds{15};
constexpr Duration kAskAgain = std::chrono::milliseconds{500};

/// Asks until there is an answer, for kAskFor at most.
Result<HostFate> ask() {
    auto made = systemd::Loop::create();
    if (!made)
        return tl::unexpected<Error>{made.error()};
    auto& loop = **made;
    const auto until = loop.now() + kAskFor;
    HostFate fate;
    std::unique_ptr<FateQuery> query;
    std::function<void()> begin;
    auto again = loop.add_time(kNever, "ask again", [&] { begin(); });
    if (!again)
        return tl::unexpected<Error>{again.error()};
    begin = [&] {
        query = FateQuery::ask(loop, [&](HostFate told) {
            fate = std::move(told);
            if (std::holds_alternative<CannotTell>(fate) && loop.now() < until)
                again->arm(loop.now() + kAskAgain);
            else
                loop.exit(0);
        });
    };
    begin();
    loop.run();
    return fate;
}

/// Only if systemd says so.
bool is_disabled() {
    const auto state = systemd::unit_file_state("guestd.service");
    return state == "disabled" || state == "masked" || state == "masked-runtime";
}

}  // namespace

Result<int> finish_drain(const Options& options) {
    const Marks marks{options.runtime_dir};
    if (marks.has(Marks::kDrained))
        return kExitOk;
    const auto fate = ask();
    if (!fate)
        return tl::unexpected<Error>{fate.error()};
    if (std::holds_alternative<systemd::StaysUp>(*fate))
        return kExitOk;
    // Else two would save the same guests: libvirt's own shutdown, say, and this one.
    if (marks.has(Marks::kStopped) && is_disabled()) {
        log_line(systemd::LogLevel::info, systemd::message_ids::kStopping,
                 "guestd was stopped and is disabled: no guest is touched");
        return kExitOk;
    }
    auto app = App::create(options);
    if (!app)
        return tl::unexpected<Error>{app.error()};
    return (*app)->finish_drain(*fate);
}

}  // namespace guestd::daemon
