// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/wait_ready.hpp"

#include <algorithm>
#include <cstdio>

#include "ctl/readiness.hpp"
#include "ctl/signals.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::ctl {
namespace {

/// For what comes without a signal: a record that is still on its way to the disk, a hypervisor
/// that answers late.
constexpr Duration kLookAgain = std::chrono::seconds{1};
/// Nothing depends on this one; should a signal ever be missed, a boot is late and not stuck.
constexpr Duration kSafetyNet = std::chrono::seconds{30};

class ReadyWait {
public:
    ReadyWait(Context& context, const Strings& globs, std::optional<Duration> timeout)
        : context_(context), globs_(globs), until_(timeout ? now() + *timeout : kNever) {}

    int run();

private:
    void hear(const std::string& member, const Json& arguments);
    void look_now();
    int result() const;
    void report() const;

    Context& context_;
    const Strings& globs_;
    TimePoint until_;
    bool due_ = true;    ///< something has happened since the last look
    bool there_ = true;  ///< guestd answered the last look
    ReadinessView view_;
};

void ReadyWait::hear(const std::string& member, const Json& arguments) {
    if (member == Client::kCame || member == "RunStarted" || member == "RunEnded")
        due_ = true;
    // Without names only the end of the run counts.
    else if (member == Client::kGuest && !globs_.empty())
        due_ = due_ || guest_signal(arguments).what == "done";
}

void ReadyWait::look_now() {
    due_ = false;
    try {
        view_ = look(context_.client(), globs_);
        there_ = true;
    } catch (const Stop& stop) {
        if (stop.status() != kExitNotConnected)
            throw;
        there_ = false;
        view_ = {};
        view_.cause = stop.what();
    }
}

int ReadyWait::run() {
    context_.client().listen(
        [this](const std::string& member, const Json& arguments) { hear(member, arguments); });
    auto look_again = now();
    for (;;) {
        if (due_ || now() >= look_again) {
            look_now();
            look_again = now() + (there_ && view_.look_again ? kLookAgain : kSafetyNet);
        }
        if (view_.all != Readiness::pending || now() >= until_)
            break;
        context_.client().wait(std::max(std::min(look_again, until_) - now(), Duration{}));
    }
    report();
    return result();
}

int ReadyWait::result() const {
    switch (view_.all) {
        case Readiness::ready:
            return kExitOk;
        case Readiness::failed:
            return kExitFailure;
        case Readiness::pending:
            return kExitTimeout;
    }
    return kExitFailure;
}

const char* word_of(Readiness is) {
    switch (is) {
        case Readiness::ready:
            return "ready";
        case Readiness::pending:
            return "pending";
        case Readiness::failed:
            return "failed";
    }
    return "";
}

void ReadyWait::report() const {
    const auto complain = [](const std::string& text) {
        std::fprintf(stderr, "guestctl: %s\n", render::escape_terminal(text).c_str());
    };
    Json guests = Json::array();
    for (const auto& guest : view_.guests) {
        guests.push_back({{"name", guest.name},
                          {"uri", guest.uri},
                          {"uuid", guest.uuid},
                          {"readiness", word_of(guest.is)},
                          {"cause", guest.cause}});
        if (guest.is != Readiness::ready)
            complain(guest.name + ": " +
                     (guest.is == Readiness::pending ? "not ready in time: " : "") + guest.cause);
    }
    if (!view_.cause.empty())
        complain((view_.all == Readiness::pending ? "not in time: " : "") + view_.cause);
    if (context_.json)
        print_json({{"readiness", word_of(view_.all)}, {"cause", view_.cause}, {"guests", guests}});
    else if (view_.all == Readiness::ready)
        print(view_.guests.empty()
                  ? "There was no guest to start.\n"
                  : render::count(view_.guests.size(), "guest") +
                        (view_.guests.size() == 1 ? " is ready.\n" : " are ready.\n"));
}

}  // namespace

int wait_until_ready(Context& context, const Strings& globs, std::optional<Duration> timeout) {
    return ReadyWait{context, globs, timeout}.run();
}

}  // namespace guestd::ctl
