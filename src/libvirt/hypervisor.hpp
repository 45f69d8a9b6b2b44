// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The way to libvirt: the facade over everything in this folder.
///
/// Per URI: one control connection (events, listings), workers for calls (call_pools.hpp), and
/// readers of save progress, of block I/O, and of pools and networks that guests need; all but the
/// first come with the work. No thread is ever joined, so a
/// frozen libvirtd cannot keep the process from exiting; memory that such a thread still uses is
/// leaked on purpose.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "guestd/ports/hypervisor.hpp"
#include "libvirt/save_space.hpp"

namespace guestd::libvirt {

/// Of libvirtd's max_workers, so many stay free of long calls: aborts, statistics and other clients
/// are still served while all of ours are saving.
inline constexpr unsigned kFreeWorkers = 5;
/// libvirtd's max_workers is 20 unless configured otherwise.
inline constexpr unsigned kDefaultLongCalls = 20 - kFreeWorkers;

struct Options {
    std::vector<std::string> uris;  ///< the index is the UriId
    /// After this an attempt to connect is reported as unanswered, and a second one made.
    Duration connect_timeout = std::chrono::seconds{30};
    /// Long calls of a URI at once: what its libvirtd serves, with a reserve.
    unsigned long_calls = kDefaultLongCalls;
    bool read_metadata = true;
    Duration progress_interval = std::chrono::seconds{1};
    Duration io_interval = std::chrono::seconds{1};
    /// How often pools and networks that guests need are looked at without an event.
    Duration need_interval = std::chrono::seconds{10};
    /// How often autostart flags are read without anything that tells of them.
    Duration autostart_interval = std::chrono::seconds{60};
    Duration idle_time = std::chrono::seconds{30};  ///< of a worker, before it disconnects
    /// A short call older than this no longer keeps those behind it from getting a worker.
    Duration short_is_slow = std::chrono::seconds{1};
    /// A drain of so many guests that run opens connections before its calls: what 1,000 gain by it
    /// (10 ms) 30 do not notice, and each connection costs 80 KiB.
    std::size_t crowd = 100;
    /// Where saved images go, by UriId; empty or missing = as libvirt has it, where that is known.
    std::vector<std::string> save_folders;
    /// Where the drivers keep their links of autostart, by UriId; empty or missing = not known.
    std::vector<std::string> autostart_folders;
    /// For tests: how much is free there; by default, the file system is asked.
    SaveSpace::Ask free_space;
    /// For tests: told before (true) and after (false) each call, on its worker's thread.
    std::function<void(const Call&, bool)> around_call;
};

struct UriStatus {
    std::string uri;
    bool listed = false;    ///< connected, with events, and listed
    std::string reason;     ///< why not
    unsigned attempts = 0;  ///< to connect, since it was last listed
    unsigned workers = 0;   ///< threads with a connection for calls
    unsigned waiting = 0;   ///< calls that wait for a worker
    unsigned given_up = 0;  ///< threads stuck in abandoned calls
};

class LibvirtHypervisor : public Hypervisor {
public:
    /// Silences libvirt's own printing of errors, process-wide. Connects to nothing yet. May throw
    /// std::system_error or std::bad_alloc.
    LibvirtHypervisor(const Options& options, const EventSink& sink);
    /// stop_quickly(), then waits half a second at most for connections to be closed in order.
    ~LibvirtHypervisor() override;
    LibvirtHypervisor(const LibvirtHypervisor&) = delete;
    LibvirtHypervisor& operator=(const LibvirtHypervisor&) = delete;

    /// Begins to connect to every URI, and keeps at it. Does not block.
    void start();

    void submit(const Call& call) override;
    /// A drain is about to ask the guests that run: where they are a crowd, the connections for it
    /// are opened meanwhile.
    void expect_drain();
    /// The process is about to end: lets go of what would hold it up then. All works on; autostart
    /// flags may be noticed a minute late.
    void expect_end();
    void abandon(const AbandonCall& call) override;
    void list_autostart(const ListAutostart& command) override;
    void watch(const Watch& watch) override;
    void unwatch(WatchId id) override;

    /// By UriId. Thread-safe, does not block.
    std::vector<UriStatus> status() const;

    /// Nothing is told any more and nothing begun; what is in libvirt's hands stays there. Returns
    /// at once; the sink is not called after it has returned.
    void stop_quickly() noexcept;

    /// Whether SaveProgressed is wanted; yes at first.
    void request_progress(bool wanted);

private:
    struct Link;
    Link& link(UriId uri) { return *links_.at(static_cast<std::size_t>(uri)); }

    const std::size_t crowd_;
    std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace guestd::libvirt
