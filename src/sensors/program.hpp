// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A program of the host, running.
///
/// It leads a session of its own and is killed with all of its group: when its time is up, when
/// nobody wants it any more, and, for what it left behind, when it ends. Its number stays ours
/// until the group has been killed: only then is it taken off the list of processes. One that
/// cannot be killed yet, as it hangs in a dead file system, keeps its place until it can.

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "sensors/io.hpp"
#include "sensors/places.hpp"

namespace guestd::sensors {

struct ProgramOrder {
    std::string path;
    std::vector<std::string> environment;  ///< "NAME=value"; there is nothing else in it
};

struct ProgramEnd {
    bool success = false;  ///< it ended by itself, with 0
    std::string text;      ///< else why not, with the last line that it wrote
};

/// Buries the programs that nobody waits for any more. Outlives every Program.
class Undertaker {
public:
    explicit Undertaker(systemd::Loop& loop) : loop_(loop) {}
    ~Undertaker();
    Undertaker(const Undertaker&) = delete;
    Undertaker& operator=(const Undertaker&) = delete;

    void take(pid_t pid, SharedFd pidfd, Places::Place place);

private:
    struct Body {
        pid_t pid;
        SharedFd pidfd;
        Places::Place place;
        systemd::IoSource source;
    };
    void bury_unattended();

    systemd::Loop& loop_;
    std::list<Body> bodies_;
};

/// Loop's thread.
class Program {
public:
    using Ended = std::function<void(ProgramEnd)>;

    /// Does not block. `ended` is called once from the loop, unless the object is destroyed before;
    /// it may destroy the object. `place` is kept for as long as there is a process.
    static Result<std::unique_ptr<Program>> start(systemd::Loop& loop, Undertaker& undertaker,
                                                  const ProgramOrder& order, Places::Place place,
                                                  Ended ended);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Kills the whole group; `ended` follows when it is gone.
    void kill();

private:
    Program(Undertaker& undertaker, Places::Place place, Ended ended);
    Result<void> launch(const ProgramOrder& order);
    Result<void> attend(systemd::Loop& loop);
    void read_output();
    void on_exit();

    Undertaker& undertaker_;
    Places::Place place_;
    Ended ended_;
    pid_t pid_ = 0;  ///< 0 = there is none, or it is buried
    SharedFd pidfd_;
    SharedFd output_;  ///< empty once it has come to its end
    Fd verdict_;
    std::string text_;            ///< the end of what it wrote
    std::size_t read_bytes_ = 0;  ///< in all
    systemd::IoSource exit_source_;
    systemd::IoSource output_source_;
};

}  // namespace guestd::sensors
