// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "systemd/escape.hpp"
#include "systemd/journal.hpp"

namespace guestd::systemd {
namespace {

/// A line for people; names alone may have megabytes.
constexpr std::size_t kLongestMessage = 4096;
constexpr std::size_t kLongestField = 1024;
constexpr const char* kIdentifier = "guestd";

struct Setting {
    std::atomic<bool> journal = false;
    std::atomic<LogLevel> least = LogLevel::info;
};
Setting setting;

/// syslog(3) priorities.
char priority(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return '7';
        case LogLevel::info:
            return '6';
        case LogLevel::notice:
            return '5';
        case LogLevel::warning:
            return '4';
        case LogLevel::error:
            return '3';
        case LogLevel::critical:
            return '2';
    }
    return '6';
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
        case LogLevel::notice:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
        case LogLevel::critical:
            return spdlog::level::critical;
    }
    return spdlog::level::info;
}

LogLevel level_of(spdlog::level::level_enum level) {
    if (level >= spdlog::level::critical)
        return LogLevel::critical;
    if (level >= spdlog::level::err)
        return LogLevel::error;
    if (level >= spdlog::level::warn)
        return LogLevel::warning;
    return level >= spdlog::level::info ? LogLevel::info : LogLevel::debug;
}

/// Lines of code that knows spdlog only.
class JournalSink final : public spdlog::sinks::sink {
public:
    void log(const spdlog::details::log_msg& message) override {
        const std::string text{message.payload.data(), message.payload.size()};
        send_to_journal(journal_fields(LogRecord{level_of(message.level), text, {}, {}}));
    }
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
};

std::shared_ptr<spdlog::logger> new_logger(bool journal) {
    if (journal)
        return std::make_shared<spdlog::logger>(kIdentifier, std::make_shared<JournalSink>());
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    sink->set_pattern("%H:%M:%S.%e %^%7l%$ %v");
    return std::make_shared<spdlog::logger>(kIdentifier, std::move(sink));
}

}  // namespace

bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) < 0)
        return false;
    return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

void log_to(LogTarget target, LogLevel least) {
    const bool journal =
        target == LogTarget::automatic ? stderr_is_journal() : target == LogTarget::journal;
    auto logger = new_logger(journal);
    logger->set_level(spdlog_level(least));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    setting.journal = journal;
    setting.least = least;
}

void log(const LogRecord& record) noexcept {
    try {
        if (record.level < setting.least)
            return;
        if (setting.journal)
            send_to_journal(journal_fields(record));
        else
            spdlog::default_logger_raw()->log(spdlog_level(record.level), "{}",
                                              escaped(record.message, kLongestMessage));
    } catch (...) {
        // There is nowhere left to say it.
    }
}

std::vector<std::string> journal_fields(const LogRecord& record) {
    std::vector<std::string> lines;
    lines.push_back("MESSAGE=" + escaped(record.message, kLongestMessage));
    lines.push_back(std::string{"PRIORITY="} + priority(record.level));
    lines.push_back(std::string{"SYSLOG_IDENTIFIER="} + kIdentifier);
    if (!record.message_id.empty())
        lines.push_back("MESSAGE_ID=" + std::string{record.message_id});
    for (const auto& [name, value] : record.fields)
        if (!value.empty())
            lines.push_back(std::string{name} + "=" + value.substr(0, kLongestField));
    return lines;
}

}  // namespace guestd::systemd
