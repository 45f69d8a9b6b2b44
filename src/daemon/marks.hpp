// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What must be known until the host goes down, and no longer: files in /run/guestd.
///
/// The store says most of it too; but it may not be writable, keeps 200 runs only, and knows the
/// kernel's boot id, which a soft reboot keeps and containers share. Without a folder nothing is
/// kept and nothing known. Does not throw.

#include <string>
#include <vector>

namespace guestd::daemon {

class Marks {
public:
    /// Start no guest. The package makes it when it is installed on a host that is up; so may an
    /// administrator.
    static constexpr const char* kSafeBoot = "safe-boot";
    /// User space has been started, and guestd has not been since.
    static constexpr const char* kNewBoot = "new-boot";
    /// This boot's boot run has ended.
    static constexpr const char* kBootRun = "boot-run";
    /// The drain for the host that goes down has ended: nothing is left to finish.
    static constexpr const char* kDrained = "drained";
    /// guestd was stopped while the host stayed up.
    static constexpr const char* kStopped = "stopped";
    /// The drain that logind's announcement has begun: its number, until it is withdrawn.
    static constexpr const char* kAnnounced = "announced";
    /// Sessions of a user that guestd knows already, a line each.
    static constexpr const char* kSession = "session";
    /// URIs that have answered, a line each.
    static constexpr const char* kUris = "uris";

    explicit Marks(std::string dir) : dir_(std::move(dir)) {}

    bool has(const char* name) const;
    void set(const char* name) const;
    void clear(const char* name) const;
    void add_line(const char* name, const std::string& line) const;
    std::vector<std::string> lines(const char* name) const;

private:
    std::string path(const char* name) const { return dir_ + "/" + name; }

    std::string dir_;
};

}  // namespace guestd::daemon
