// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Policy: what holds for one guest, or one URI, after every layer of the configuration is merged.
///
/// Plain values, no origins: `config/` builds them and remembers where each came from; the core
/// only reads them. The defaults here are *the* built-in defaults, the weakest layer.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "guestd/time.hpp"
#include "guestd/types.hpp"

namespace guestd {

using namespace std::chrono_literals;

enum class StepKind { shutdown, save, destroy, leave, migrate };
enum class ShutdownMode { automatic, agent, acpi };

/// Times of steps that the configuration leaves open.
inline constexpr Duration kDefaultShutdownTime = 5min;
inline constexpr Duration kDefaultSaveTime = 5min;
/// libvirt gives a graceful destroy 15 s before it reports EBUSY (virProcessKillPainfullyDelay);
/// five more are for the forced one behind it.
inline constexpr Duration kDefaultDestroyTime = 20s;
inline constexpr Duration kDefaultMigrateTime = 5min;

/// One step of a stop ladder: "shutdown:agent 3min", "save", "migrate:qemu+ssh://b/system 10min".
struct Step {
    StepKind kind = StepKind::shutdown;
    ShutdownMode mode = ShutdownMode::automatic;  ///< of a shutdown
    Duration time = kDefaultShutdownTime;         ///< zero for `leave`
    std::string target;                           ///< of a migrate: the destination URI
    bool operator==(const Step&) const = default;
};
using Ladder = std::vector<Step>;

enum class ProbeKind { running, agent, io_settle, tcp, address, exec, delay };

/// One readiness probe: "agent", "tcp:[HOST:]PORT", "io-settle:1MiB:5s", "delay:30s", "exec:/x".
struct Probe {
    ProbeKind kind = ProbeKind::running;
    std::string target;      ///< tcp: host ("" = the guest's own address); exec: absolute path
    std::uint16_t port = 0;  ///< tcp
    Duration span{};         ///< delay: how long; io-settle: how long below the rate
    Bytes rate{};            ///< io-settle: bytes per second
    bool operator==(const Probe&) const = default;
};
/// io-settle without arguments: a booting OS reads tens of MiB/s, an idle one writes some KiB/s.
inline constexpr Bytes kIoSettleRate{512ULL * 1024};
inline constexpr Duration kIoSettleSpan = 5s;

enum class NeedKind { mount, path, pool, network, unit };
struct Need {
    NeedKind kind = NeedKind::path;
    std::string target;
    bool operator==(const Need&) const = default;
};

enum class Tier { critical, normal, expendable };
enum class StartChoice { automatic, always, never };  ///< automatic: resume list and autostart flag
enum class AutostartMode { throttle, leave };
enum class OnReadyTimeout { proceed, fail };  ///< spelled "continue" and "fail"
enum class RestoreFailure { hold, cold_boot };
enum class PendingConfig { resume, cold_boot };
enum class TransientRule { shutdown, destroy, leave };
enum class PausedRule { save, resume, destroy, leave };
enum class OnStop { automatic, drain, leave };

struct Retry {
    unsigned attempts = 5;
    Duration backoff = 5s;
    Duration max_backoff = 2min;
    bool operator==(const Retry&) const = default;
};

/// Thresholds of PSI "some avg10", percent; 0 = off.
struct Pressure {
    double io = 60;
    double cpu = 90;
    double memory = 40;
    bool operator==(const Pressure&) const = default;
};

struct StartPolicy {
    StartChoice policy = StartChoice::automatic;
    AutostartMode autostart = AutostartMode::throttle;
    bool resume = true;
    std::vector<Probe> ready = {Probe{.kind = ProbeKind::agent}};  ///< all of them
    Duration ready_timeout = 2min;
    OnReadyTimeout on_ready_timeout = OnReadyTimeout::proceed;
    Retry retry;
    bool sync_time = true;
    bool bypass_cache = false;
    RestoreFailure restore_failure = RestoreFailure::hold;
    PendingConfig pending_config = PendingConfig::resume;
    std::vector<Need> needs;
};

struct StopPolicy {
    Ladder stop = {Step{StepKind::shutdown, ShutdownMode::automatic, kDefaultShutdownTime, {}},
                   Step{StepKind::save, ShutdownMode::automatic, kDefaultSaveTime, {}},
                   Step{StepKind::destroy, ShutdownMode::automatic, kDefaultDestroyTime, {}}};
    bool pause_before_save = false;
    bool bypass_cache = false;
    Duration resend = 10s;  ///< 0 = never; a booting OS misses an ACPI button press
    TransientRule transient = TransientRule::shutdown;
    PausedRule paused = PausedRule::save;
    Duration busy = 30s;  ///< wait for somebody's backup, migration or block job
};

/// Everything that holds for one guest.
struct GuestPolicy {
    Tier tier = Tier::normal;
    int priority = 0;                    ///< higher starts earlier, stops later
    std::vector<std::string> after;      ///< globs over names, same URI
    std::vector<std::string> requires_;  ///< same, and do not start without
    StartPolicy start;
    StopPolicy stop;
};

/// Everything that holds for one URI as a whole.
struct UriPolicy {
    unsigned max_parallel = 4;       ///< guests between "start called" and "ready"; 0 = no limit
    bool adaptive_parallel = false;  ///< max_parallel = "auto"
    Duration start_delay{};
    Pressure pressure;
    Bytes min_free_memory{512ULL << 20};
    unsigned parallel_shutdown = 0;  ///< 0 = no limit of ours
    unsigned parallel_save = 0;      ///< 0 = chosen from measured write bandwidth
    Duration deadline = 10min;       ///< hard, from the start of the drain run
};

struct DaemonPolicy {
    std::vector<std::string> uris = {"qemu:///system"};
    OnStop on_stop = OnStop::automatic;
    bool early_drain = true;  ///< drain at logind's announcement, not when units are stopped
    Duration connect_timeout = 30s;
    unsigned max_workers = 20;  ///< libvirtd's own setting: what it serves at once
    bool metadata = true;       ///< honour policy in the guests' own metadata
    /// Whoever writes it may do so for all guests: it may ask for what others feel.
    bool trust_metadata = true;
};

/// What policy may depend on.
struct GuestFacts {
    std::string uri;
    Uuid uuid;
    std::string name;
    std::string metadata;  ///< content of our metadata element, "" = none
};

/// Where the core asks for policy. Pure and cheap: same arguments, same answer; no I/O.
/// `trigger` is empty outside a drain; within one it selects `[shutdown.on.TRIGGER]`.
class PolicySource {
public:
    virtual ~PolicySource() = default;
    virtual GuestPolicy guest(const GuestFacts& facts, std::optional<Trigger> trigger) const = 0;
    virtual UriPolicy uri(const std::string& uri, std::optional<Trigger> trigger) const = 0;
    virtual const DaemonPolicy& daemon() const = 0;
};

}  // namespace guestd
