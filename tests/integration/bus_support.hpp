// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A private bus, a guestd on it that is nothing but its bus code and a stub, and the real
/// guestctl.
///
/// Tests wait for events (an answer, a line, the end of a process), each with one generous limit
/// that only a broken program reaches; no test depends on how long something takes.

#include <sys/types.h>
#include <systemd/sd-event.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "systemd/bus_server.hpp"

namespace guestd::bus::test {

/// dbus-daemon on a socket in a folder of its own, as the system bus of this process and of its
/// children (DBUS_SYSTEM_BUS_ADDRESS).
class PrivateBus {
public:
    PrivateBus();
    ~PrivateBus();
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;
    void start();
    void stop();
    /// Takes nothing from anybody from here on, until it is thawed.
    void freeze();
    void thaw();

private:
    std::filesystem::path folder_;
    pid_t daemon_ = -1;
};

/// Answers with what the test put into its members, and notes what it was told. Everything is
/// touched on the loop's thread only (Guestd::on_loop).
class StubFacade : public Facade {
public:
    StatusView status_view;
    std::optional<ProgressView> progress_view;
    std::vector<GuestView> guest_views;
    std::vector<UriView> uri_views;
    std::vector<MetadataView> metadata_views;
    std::vector<ResumeEntry> resume_entries;
    std::vector<RunView> run_views;
    std::vector<RunGuestRecord> run_guest_records;
    std::vector<SpanRecord> span_records;
    std::vector<SettingView> setting_views;
    std::optional<Error> error;  ///< what every command and question fails with
    std::optional<Error> metadata_error;
    bool drop_replies = false;  ///< never answers questions that need the disk
    bool keep_replies = false;  ///< answers them only when kept_replies is cleared
    std::vector<Reply<std::vector<RunView>>> kept_replies;
    std::function<void(RunId)> on_run;  ///< called by boot and drain, before they answer
    std::function<void()> on_status;    ///< called whenever somebody asks for the status
    std::function<void()> on_progress;  ///< the same for the progress

    std::vector<BootRequest> boots;
    std::vector<DrainRequest> drains;
    std::vector<RunId> cancels;
    std::set<std::string> remembered;
    std::vector<std::string> forgotten;
    std::vector<std::string> explained;
    std::vector<std::string> asked;  ///< globs
    unsigned reloads = 0;
    std::vector<std::string> prepared;  ///< what logind has announced
    mutable unsigned progress_asked = 0;
    mutable unsigned guests_asked = 0;
    mutable std::vector<std::size_t> metadata_asked;  ///< how many were named, each time

    StatusView status() const override;
    std::optional<ProgressView> progress() const override;
    std::vector<GuestView> guests(const std::vector<std::string>& globs) const override;
    Result<std::vector<MetadataView>> metadata(
        const std::vector<std::string>& globs) const override;
    std::vector<UriView> uris() const override { return uri_views; }
    std::vector<ResumeEntry> resume_list() const override { return resume_entries; }
    void runs(unsigned limit, Reply<std::vector<RunView>> reply) override;
    void run_guests(RunId run, Reply<std::vector<RunGuestRecord>> reply) override;
    void run_spans(RunId run, Reply<std::vector<SpanRecord>> reply) override;
    Result<std::vector<SettingView>> explain(const std::string& guest,
                                             std::optional<Trigger> trigger) const override;
    Result<RunId> boot(const BootRequest& request) override;
    Result<RunId> drain(const DrainRequest& request) override;
    Result<bool> cancel(RunId run) override;
    Result<bool> remember(const std::string& uri, const Uuid& uuid) override;
    Result<bool> forget(const std::string& uri, const Uuid& uuid) override;
    Result<void> reload() override;
    void host_prepares(bool down, const std::string& way) override {
        prepared.push_back((down ? "down: " : "up: ") + way);
    }

    /// Number that the next run gets.
    RunId next_run = 7;

private:
    Result<RunId> new_run();
};

/// The bus code of guestd on a loop of its own thread.
class Guestd {
public:
    /// Returns once org.guestd1 is on the bus.
    explicit Guestd(StubFacade& facade);
    ~Guestd();
    Guestd(const Guestd&) = delete;
    Guestd& operator=(const Guestd&) = delete;

    /// Runs `work` on the loop's thread and waits for it.
    void on_loop(const std::function<void(Server&)>& work);
    /// Waits until the loop has nothing to do.
    void wait_until_idle();
    /// Waits until a remark of the server contains `text`.
    void wait_for_remark(const std::string& text);

private:
    static int on_work(sd_event_source*, int fd, std::uint32_t, void* userdata) noexcept;
    void loop();

    StubFacade& facade_;
    int wake_ = -1;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> remarks_;
    const std::function<void(Server&)>* work_ = nullptr;
    bool stop_ = false;
    Server* server_ = nullptr;
    sd_event* event_ = nullptr;
    std::thread thread_;
};

struct Finished {
    int status = -1;  ///< exit status; -1 = killed
    std::string out;
    std::string err;
};

/// The real guestctl, next to which this test was built, or where GUESTCTL says.
class Guestctl {
public:
    /// `terminal`: width of the terminal it runs on; 0 = none, its output is a pipe.
    explicit Guestctl(const std::vector<std::string>& arguments, unsigned short terminal = 0,
                      uid_t uid = 0);
    ~Guestctl();
    Guestctl(const Guestctl&) = delete;
    Guestctl& operator=(const Guestctl&) = delete;

    /// Reads until the output, or what comes beside it, contains `text`. False when it ended
    /// before.
    bool read_until(const std::string& text);
    void type(const std::string& text);
    Finished finish();

private:
    bool read_some();
    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
    bool out_open_ = true;
    bool err_open_ = true;
    Finished finished_;
};

inline Finished guestctl(const std::vector<std::string>& arguments) {
    return Guestctl{arguments}.finish();
}

}  // namespace guestd::bus::test
