// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The composition root: core, adapters and loop, put together.
///
/// App decides nothing about guests. It feeds the machine with events, carries out its commands,
/// and knows when the process may end.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/announcer.hpp"
#include "daemon/console.hpp"
#include "daemon/dates.hpp"
#include "daemon/history_reader.hpp"
#include "daemon/links.hpp"
#include "daemon/marks.hpp"
#include "daemon/options.hpp"
#include "daemon/settings.hpp"
#include "guestd/machine.hpp"
#include "libvirt/hypervisor.hpp"
#include "sensors/sensors.hpp"
#include "store/store.hpp"
#include "systemd/bus_server.hpp"
#include "systemd/going_down.hpp"
#include "systemd/inbox.hpp"
#include "systemd/loop.hpp"
#include "systemd/supervisor.hpp"

namespace guestd::daemon {

class BusFacade;

/// How guestd ends. An unclean drain must be visible as the unit's result.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFault = 1;
inline constexpr int kExitUnclean = 4;

class App {
public:
    /// Everything that can fail before the loop runs. Blocks for reads of configuration and state.
    static Result<std::unique_ptr<App>> create(const Options& options);
    ~App();
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    /// Runs until there is a reason to end; the exit code. The process must leave with _exit() when
    /// threads are stuck in libvirt: quick_exit() of main does.
    int run();
    /// `--finish-drain`: the host goes down, and the guestd that should have seen to it is gone.
    /// Its drain goes on with its own deadlines; where it had begun none, one is made now.
    int finish_drain(const systemd::HostFate& fate);

    // For the bus. Loop's thread.
    const Machine& machine() const { return *machine_; }
    const config::Config& config() const { return *config_; }
    const std::string& degraded() const { return degraded_; }
    const std::vector<std::string>& warnings() const { return warnings_; }
    const std::string& boot_id() const { return boot_id_; }
    const libvirt::LibvirtHypervisor& hypervisor() const { return *hypervisor_; }
    HistoryReader& history() { return *history_; }
    const Dates& dates() const { return dates_; }
    TimePoint now() const { return loop_->now(); }
    Result<RunId> request(const RunRequested& request);
    bool cancel(RunId run);
    Result<bool> remember(const std::string& uri, const Uuid& uuid);
    bool forget(const std::string& uri, const Uuid& uuid);
    Result<void> reload();
    /// libvirtd holds a shutdown up while guests run, by a delay lock (5 s by default): begun now,
    /// the drain is most likely over when the unit is stopped, which goes on with it if not.
    void host_prepares(bool down, const std::string& way);

private:
    /// A guestd that crashes again and again does so within it, and needs what stands by.
    static constexpr Duration kRenewAfter = std::chrono::seconds{5};

    explicit App(Options options);

    Result<void> set_up();
    Result<void> set_up_loop();
    Result<void> set_up_state();
    void set_up_machine(const Restored& restored);
    void take_warnings(std::vector<std::string> warnings);
    void tell_warnings(const std::vector<std::string>& problems);
    Result<void> set_up_signals();

    void tell_ready();
    void feed(const Event& event);
    void execute(Outbox commands);
    void carry_out(Command& command);
    void carry_out_watch(const Watch& watch);
    void after_step();
    void refresh_status();
    void tell_console();

    bool safe_boot() const;
    void note_marks(const Event& event);
    void tell_unmatched();
    Result<void> read_configuration_again();
    bool drain_is_stored();
    void stop_requested();
    void host_answered(const systemd::HostFate& fate);
    /// The run that ends us.
    void begin_last_drain(bool host_goes_down);
    void drain_for(Trigger trigger);
    bool nobody_runs() const;
    void look_whether_it_goes_down();
    void renew_stand_by();
    void host_stays_up();
    void extend_stop();
    void leave(int code);

    Options options_;
    Marks marks_;
    std::string boot_id_;
    std::string degraded_;
    std::vector<std::string> warnings_;
    std::shared_ptr<const config::Config> config_;
    Dates dates_;

    // In the order of use: what is declared later goes first.
    std::unique_ptr<systemd::Loop> loop_;
    systemd::SystemdSupervisor supervisor_;
    std::unique_ptr<systemd::Inbox> inbox_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<HistoryReader> history_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<libvirt::LibvirtHypervisor> hypervisor_;
    std::unique_ptr<sensors::SystemSensors> sensors_;
    std::unique_ptr<BusFacade> facade_;
    std::unique_ptr<bus::Server> bus_;
    std::unique_ptr<Announcer> announcer_;
    std::optional<Links> links_;
    std::optional<Console> console_;  ///< while the host goes down
    TimePoint console_told_{};
    std::unique_ptr<systemd::FateQuery> fate_;
    systemd::TimeSource deadline_;
    systemd::TimeSource status_timer_;
    systemd::TimeSource ready_by_;
    systemd::TimeSource announced_look_;  ///< whether the host still goes down
    systemd::TimeSource renew_stand_by_;
    std::vector<systemd::Source> signals_;
    bool running_ = false;        ///< the loop, or about to
    bool ready_told_ = false;     ///< to systemd
    RunId prepared_ = 0;          ///< the drain that logind's announcement has begun
    bool prepared_clean_ = true;  ///< what it ended as, when it was over before we were stopped
    bool stopping_ = false;       ///< asked to stop; finding out whether the host goes down
    bool draining_ = false;       ///< the run that ends us is active, or being stored
    bool host_goes_down_ = false;
    StoreId end_of_run_ = 0;  ///< its write, while it is not durable; 0 = none under way
    TimePoint end_by_ = kNever;
    bool boot_run_marked_ = false;
    bool unmatched_told_ = false;  ///< of the present configuration
    std::string shown_status_;
    TimePoint status_shown_{};
    bool status_due_ = false;  ///< its timer is armed
};

}  // namespace guestd::daemon
