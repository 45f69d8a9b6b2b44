// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/announcer.hpp"

#include <utility>

#include "systemd/message_ids.hpp"

namespace guestd::daemon {
namespace {

std::string with_text(std::string line, const std::string& text) {
    return text.empty() ? line : std::move(line) + ": " + text;
}

std::string line_of(const Notice& notice) {
    const auto run = notice.what + " run " + std::to_string(notice.run);
    switch (notice.kind) {
        case NoticeKind::run_started:
            return with_text(run + " begins", notice.text);
        case NoticeKind::run_ended:
            return with_text(run + (notice.warning ? " has ended, not clean" : " has ended"),
                             notice.text);
        case NoticeKind::step_started:
            return with_text(notice.name + ": " + notice.what, notice.text);
        case NoticeKind::guest_done:
            return with_text(notice.name + ": " + std::string{to_string(notice.outcome)},
                             notice.text);
        case NoticeKind::guest_retrying:
            return with_text(notice.name + ": trying again", notice.text);
        case NoticeKind::guest_held:
            return with_text(notice.name + ": waits", notice.text);
        case NoticeKind::starts_held:
        case NoticeKind::intent_not_stored:
        case NoticeKind::uri_unreachable:
            return notice.text;
        case NoticeKind::remark:
            return notice.name.empty() ? notice.text : with_text(notice.name, notice.text);
    }
    return notice.text;
}

}  // namespace

void log_line(systemd::LogLevel level, std::string_view message_id, std::string message) {
    systemd::log({.level = level, .message = std::move(message), .message_id = message_id});
}

void Announcer::announce(const Notice& notice, const std::optional<RunRecord>& run) {
    using namespace systemd::fields;
    const auto of = notice.guest ? std::optional{notice.guest->uri} : notice.uri;
    const auto uri = of ? uris_.at(static_cast<std::size_t>(*of)) : std::string{};
    systemd::LogRecord record;
    record.level = notice.warning ? systemd::LogLevel::warning : systemd::LogLevel::info;
    record.message = line_of(notice);
    record.message_id = systemd::message_ids::of(notice.kind);
    if (notice.run != 0)
        record.fields.emplace_back(kRun, std::to_string(notice.run));
    record.fields.emplace_back(kUri, uri);
    if (notice.guest) {
        record.fields.emplace_back(kGuestUuid, notice.guest->uuid.str());
        record.fields.emplace_back(kGuestName, notice.name);
        record.fields.emplace_back(kStep, notice.what);
    }
    if (notice.kind == NoticeKind::guest_done)
        record.fields.emplace_back(kOutcome, std::string{to_string(notice.outcome)});
    systemd::log(record);

    if (bus_ == nullptr)
        return;
    if (notice.kind == NoticeKind::run_started)
        bus_->run_started(notice.run, run ? run->kind : RunKind::boot,
                          run ? run->trigger : Trigger::manual);
    else if (notice.kind == NoticeKind::run_ended)
        bus_->run_ended(notice.run, !notice.warning);
    else
        bus_->guest_changed(notice, uri);
}

}  // namespace guestd::daemon
