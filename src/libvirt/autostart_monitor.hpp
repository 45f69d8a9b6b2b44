// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Which guests of one URI are flagged with autostart, kept up to date.
///
/// libvirt has no event for these flags, so they are asked for: when a link comes or goes in the
/// folder where the driver keeps one for each flagged guest, when the core wants to know for sure,
/// and, for what no folder tells (a remote host, a driver that keeps its flags in memory), now and
/// then. The links only say when to ask: libvirt may have set a flag and not made it a link yet, or
/// the other way round. Those of "autostart once", by which guestd marks guests itself, say nothing
/// of a flag.
///
/// A reading is one call on the control connection, by a thread that lives only as long as there is
/// something to read: libvirt waits for the lock of every guest, so it may hang while one of them
/// does, and nothing but the flags hangs with it.

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>

#include "libvirt/context.hpp"
#include "libvirt/folder_watch.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

class AutostartMonitor : public std::enable_shared_from_this<AutostartMonitor> {
public:
    /// `folder`: where the links are; "" = there is none to watch.
    AutostartMonitor(std::shared_ptr<UriContext> context, std::filesystem::path folder)
        : context_(std::move(context)), folder_(std::move(folder)) {}
    ~AutostartMonitor();

    /// Whether the link that came or went stands for an autostart flag; "" is any.
    static bool may_be_flag(std::string_view link);

    // Thread-safe; none blocks.
    /// The URI is listed, and this is the way to it until disconnected().
    void connected(virConnectPtr connection);
    void disconnected();
    /// Something may have changed. `asked`: the outlet tells what was read even if nothing has.
    void look(bool asked);
    /// Until the next reading links are not heard of. For the end of the process, which the kernel
    /// otherwise holds up for 16 ms (seen on Linux 6.18), until nobody uses the watches.
    void rest();
    void stop();

private:
    // Under the lock.
    void begin();
    void ask(bool asked);
    void run();

    const std::shared_ptr<UriContext> context_;
    const std::filesystem::path folder_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::unique_ptr<FolderWatch> watch_;
    virConnectPtr connection_ = nullptr;
    int timer_ = -1;
    bool begun_ = false;
    bool running_ = false;
    bool due_ = false;
    bool asked_ = false;
    bool stopping_ = false;
};

}  // namespace guestd::libvirt
