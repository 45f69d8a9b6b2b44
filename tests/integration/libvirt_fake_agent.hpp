// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A guest's agent without a guest that could run one.
///
/// It listens where both QEMU and libvirt expect the other end of the agent's channel
/// (`<source mode='connect'/>`), and speaks to libvirt itself. libvirt asks nothing of an agent
/// whose port in the guest is closed; so QEMU is run by a script that makes the port that of a
/// console, which is open from the start.

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "guestd/time.hpp"

namespace guestd::test {

class FakeAgent {
public:
    enum class Manner {
        obliging,
        deaf,       ///< says nothing at all
        silent,     ///< says that it is there, and nothing else
        refusing,   ///< has every command switched off
        stubborn,   ///< says that it has set its clock, and has not
        clockless,  ///< sets its clock, and says that it could not
    };

    /// Makes its socket, and the script, in `folder`, which libvirt and QEMU can read.
    FakeAgent(const std::filesystem::path& folder, const std::string& name, Manner manner);
    ~FakeAgent();
    FakeAgent(const FakeAgent&) = delete;
    FakeAgent& operator=(const FakeAgent&) = delete;

    /// The channel and the emulator, for the guest's definition.
    std::string devices() const;
    /// Of its clock, ahead of the host's.
    std::chrono::nanoseconds offset() const { return offset_.load(); }
    void set_offset(std::chrono::nanoseconds offset) { offset_ = offset; }

private:
    void run();
    std::string answer(const std::string& line);
    std::string execute(const std::string& command, const std::string& line);

    const std::filesystem::path socket_path_;
    const std::filesystem::path emulator_;
    const Manner manner_;
    std::atomic<std::chrono::nanoseconds> offset_{};
    int socket_ = -1;
    int over_ = -1;  ///< eventfd: it is to end
    std::thread thread_;
};

}  // namespace guestd::test
