// SPDX-License-Identifier: LGPL-2.1-or-later
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "daemon/app.hpp"
#include "daemon/finish_drain.hpp"
#include "daemon/hold_autostart.hpp"
#include "daemon/marks.hpp"
#include "daemon/options.hpp"
#include "daemon/user_session.hpp"
#include "systemd/log.hpp"

namespace {

/// Threads wait for libvirt nearly all of their time. An arena for each (glibc's default is eight
/// per core) costs memory that is never given back, and saves locks that nobody waits for.
constexpr int kArenas = 2;

int run(int argc, char** argv) {
    using namespace guestd::daemon;
    int code = kExitOk;
    const auto options = parse_options(argc, argv, code);
    if (!options)
        return code;
    if (options->check_config)
        return check_config(*options);
    if (options->hold_autostart)
        return hold_autostart(*options);
    guestd::systemd::log_to(guestd::systemd::LogTarget::automatic);
    if (options->user) {
        if (const auto begun = begin_user_session(*options); !begun) {
            log_line(guestd::systemd::LogLevel::critical, {}, begun.error().message());
            return kExitFault;
        }
    }
    // Before anything can fail: a guestd that was meant to run is stood in for.
    if (!options->finish_drain)
        Marks{options->runtime_dir}.clear(Marks::kStopped);
    const auto done = options->finish_drain
                          ? finish_drain(*options)
                          : App::create(*options).map([](const auto& app) { return app->run(); });
    if (!done)
        log_line(guestd::systemd::LogLevel::critical, {}, done.error().message());
    return done.value_or(kExitFault);
}

}  // namespace

int main(int argc, char** argv) {
    int code = guestd::daemon::kExitFault;
    mallopt(M_ARENA_MAX, kArenas);
    try {
        code = run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "guestd: %s\n", error.what());
    }
    std::fflush(nullptr);
    // Not exit(): a thread that hangs in libvirt must not be waited for, nor run on while static
    // objects go away under it. What must survive is in the store by now.
    _exit(code);
}
