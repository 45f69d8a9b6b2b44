// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The daemon as the bus sees it: snapshots of the machine, questions to the history, commands.

#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "daemon/fleet_warnings.hpp"
#include "daemon/last_run.hpp"
#include "systemd/bus_facade.hpp"

namespace guestd::daemon {

class App;

/// The files that a configuration was made of. Kept: the status is asked for with every event.
class ConfigFiles {
public:
    const std::vector<std::string>& of(const config::Config& config);

private:
    std::string bundle_;
    std::vector<std::string> files_;
};

class BusFacade final : public bus::Facade {
public:
    explicit BusFacade(App& app);

    bus::StatusView status() const override;
    bus::Vitals vitals() const override;
    void add_warnings(bus::StatusView& view) const override;
    std::optional<bus::ProgressView> progress() const override;
    std::vector<bus::GuestView> guests(const std::vector<std::string>& globs) const override;
    Result<std::vector<bus::MetadataView>> metadata(
        const std::vector<std::string>& globs) const override;
    std::vector<bus::UriView> uris() const override;
    std::vector<ResumeEntry> resume_list() const override;

    void runs(unsigned limit, bus::Reply<std::vector<bus::RunView>> reply) override;
    void run_guests(RunId run, bus::Reply<std::vector<RunGuestRecord>> reply) override;
    void run_spans(RunId run, bus::Reply<std::vector<SpanRecord>> reply) override;

    Result<std::vector<bus::SettingView>> explain(const std::string& guest,
                                                  std::optional<Trigger> trigger) const override;

    Result<RunId> boot(const bus::BootRequest& request) override;
    Result<RunId> drain(const bus::DrainRequest& request) override;
    Result<bool> cancel(RunId run) override;
    Result<bool> remember(const std::string& uri, const Uuid& uuid) override;
    Result<bool> forget(const std::string& uri, const Uuid& uuid) override;
    Result<void> reload() override;
    void host_prepares(bool down, const std::string& way) override;

    /// To be told of every event, after the machine.
    void heard(const Event& event) { fleet_warnings_.heard(event); }
    /// To be told what goes to the store.
    LastRun& last_run() { return last_run_; }

private:
    Result<void> all_known(const std::vector<std::string>& globs) const;
    bus::RunView active_view(const RunProgress& progress,
                             const std::vector<GuestProgress>& guests) const;

    App& app_;
    TimePoint started_;  ///< since when a URI answers, or does not, that has never changed
    mutable ConfigFiles config_files_;
    mutable FleetWarnings fleet_warnings_;
    mutable LastRun last_run_;
};

}  // namespace guestd::daemon
