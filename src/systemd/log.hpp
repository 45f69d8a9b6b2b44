// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The daemon's log: structured to the journal when stderr leads there, else lines on stderr, in
/// colour on a terminal.
///
/// What comes from outside (guest names above all) may be put into messages and fields as it is:
/// messages are escaped and cut here, fields are cut. Lines that other code writes with spdlog go
/// the same way, without fields.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace guestd::systemd {

enum class LogLevel { debug, info, notice, warning, error, critical };

/// Names of the fields that guestd's lines have (spec, section 7).
namespace fields {
inline constexpr std::string_view kRun = "GUESTD_RUN";
inline constexpr std::string_view kGuestUuid = "GUESTD_GUEST_UUID";
inline constexpr std::string_view kGuestName = "GUESTD_GUEST_NAME";
inline constexpr std::string_view kUri = "GUESTD_URI";
inline constexpr std::string_view kStep = "GUESTD_STEP";
inline constexpr std::string_view kOutcome = "GUESTD_OUTCOME";
}  // namespace fields

struct LogRecord {
    LogLevel level = LogLevel::info;
    std::string message;
    std::string_view message_id;  ///< of message_ids.hpp; empty = none
    /// Field and value. A field with an empty value is left out.
    std::vector<std::pair<std::string_view, std::string>> fields;
};

enum class LogTarget {
    automatic,  ///< the journal when JOURNAL_STREAM says that stderr is connected to it
    journal,
    console,
};

/// Chooses target and least level, for spdlog's default logger too. Once, before threads are made;
/// until then lines go to the console.
void log_to(LogTarget target, LogLevel least = LogLevel::info);

/// Any thread. Never fails; a line that cannot be written is lost.
void log(const LogRecord& record) noexcept;

/// The fields of a record as journald gets them, "NAME=value" each: PRIORITY, SYSLOG_IDENTIFIER,
/// MESSAGE and MESSAGE_ID besides its own.
std::vector<std::string> journal_fields(const LogRecord& record);

/// True when stderr is the stream that JOURNAL_STREAM names.
bool stderr_is_journal();

}  // namespace guestd::systemd
