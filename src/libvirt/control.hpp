// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The control connection of one URI: it is there, or being brought back.
///
/// One thread per URI: connect, subscribe, list, tell; then look after what comes up until the
/// connection breaks; tell, wait a little, again. Attempts to connect have threads of their own,
/// because an attempt may hang for minutes, or for ever; one that comes late is still welcome.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libvirt/autostart_monitor.hpp"
#include "libvirt/call_pools.hpp"
#include "libvirt/context.hpp"
#include "libvirt/handles.hpp"
#include "libvirt/save_monitor.hpp"

namespace guestd::libvirt {

/// Before the second attempt, and doubled after each: a restart of libvirtd takes about a second.
inline constexpr Duration kFirstBackoff = std::chrono::milliseconds{250};

class Control : public std::enable_shared_from_this<Control> {
public:
    struct Settings {
        Duration connect_timeout{};
        Duration short_is_slow{};
        unsigned long_calls = 1;
    };
    struct State {
        bool listed = false;
        std::string reason = "not connected yet";  ///< while not listed
        unsigned attempts = 0;                     ///< since last listed
    };

    Control(std::shared_ptr<UriContext> context, std::shared_ptr<CallPools> pools,
            std::shared_ptr<SaveMonitor> saves, std::shared_ptr<AutostartMonitor> autostart,
            Settings settings);

    // Thread-safe; none blocks.
    /// False when there is no thread to be had.
    bool start();
    void stop();
    /// libvirt has been seen to answer: do not wait out the back-off.
    void hint();
    /// Short calls wait for a worker: look after them for a while.
    void mind_waiting();
    State state() const;

private:
    void run();
    ConnectPtr connect_at_last();
    bool begin_attempt();
    void attempt();
    /// Until the connection breaks; false when it did so before all guests were listed.
    bool serve(ConnectPtr connection);
    void back_off();
    bool list(virConnectPtr connection);
    void complete(virConnectPtr connection, const std::vector<GuestInfo>& guests);
    void attend(const ConnectPtr& connection);
    bool look_for_gone(const ConnectPtr& connection);
    void broken(unsigned connection, const std::string& reason);
    void lost(const std::string& reason);
    bool is_over() const;

    const std::shared_ptr<UriContext> context_;
    const std::shared_ptr<CallPools> pools_;
    const std::shared_ptr<SaveMonitor> saves_;
    const std::shared_ptr<AutostartMonitor> autostart_;
    const Settings settings_;

    Duration backoff_ = kFirstBackoff;  ///< of the control thread alone

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    State state_;
    ConnectPtr won_;            ///< by an attempt, not yet taken
    unsigned pending_ = 0;      ///< attempts under way
    unsigned results_ = 0;      ///< attempts that are over
    std::string failure_;       ///< of the last one that failed
    unsigned connections_ = 0;  ///< that were in use so far
    std::string broken_;        ///< why the connection in use is gone; "" = it is not
    bool hinted_ = false;
    bool calls_wait_ = false;
    bool looking_ = false;   ///< a thread lists who is active
    bool suspects_ = false;  ///< somebody was not, the last time
    bool stopping_ = false;
};

}  // namespace guestd::libvirt
