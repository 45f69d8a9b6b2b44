// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guestd/types.hpp"

#include <cstring>

#include "guestd/commands.hpp"
#include "guestd/records.hpp"

namespace guestd {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

constexpr bool hyphen_before_byte(std::size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36)
        return std::nullopt;
    Raw raw{};
    std::size_t at = 0;
    for (std::size_t byte = 0; byte < raw.size(); ++byte) {
        if (hyphen_before_byte(byte) && text[at++] != '-')
            return std::nullopt;
        const int high = hex_value(text[at]);
        const int low = hex_value(text[at + 1]);
        if (high < 0 || low < 0)
            return std::nullopt;
        raw[byte] = static_cast<std::uint8_t>(high * 16 + low);
        at += 2;
    }
    return Uuid{raw};
}

std::string Uuid::str() const {
    std::string text;
    text.reserve(36);
    for (std::size_t byte = 0; byte < raw_.size(); ++byte) {
        if (hyphen_before_byte(byte))
            text += '-';
        text += kHexDigits[raw_[byte] >> 4];
        text += kHexDigits[raw_[byte] & 15];
    }
    return text;
}

bool host_goes_down(Trigger trigger) {
    switch (trigger) {
        case Trigger::reboot:
        case Trigger::poweroff:
        case Trigger::halt:
        case Trigger::kexec:
        case Trigger::soft_reboot:
        case Trigger::ups:
        case Trigger::session_end:
            return true;
        case Trigger::maintenance:
        case Trigger::manual:
        case Trigger::host_boot:
            return false;
    }
    return true;
}

std::string_view to_string(GuestState state) {
    switch (state) {
        case GuestState::absent:
            return "absent";
        case GuestState::shutoff:
            return "shut off";
        case GuestState::running:
            return "running";
        case GuestState::paused:
            return "paused";
        case GuestState::shutting_down:
            return "shutting down";
        case GuestState::crashed:
            return "crashed";
        case GuestState::pmsuspended:
            return "pmsuspended";
    }
    return "?";
}

std::string_view to_string(RunKind kind) {
    return kind == RunKind::boot ? "boot" : "drain";
}

std::string_view to_string(Trigger trigger) {
    switch (trigger) {
        case Trigger::reboot:
            return "reboot";
        case Trigger::poweroff:
            return "poweroff";
        case Trigger::halt:
            return "halt";
        case Trigger::kexec:
            return "kexec";
        case Trigger::soft_reboot:
            return "soft-reboot";
        case Trigger::ups:
            return "ups";
        case Trigger::maintenance:
            return "maintenance";
        case Trigger::session_end:
            return "session-end";
        case Trigger::manual:
            return "manual";
        case Trigger::host_boot:
            return "host-boot";
    }
    return "?";
}

std::optional<Trigger> parse_trigger(std::string_view text) {
    for (const auto trigger : {Trigger::reboot, Trigger::poweroff, Trigger::halt, Trigger::kexec,
                               Trigger::soft_reboot, Trigger::ups, Trigger::maintenance,
                               Trigger::session_end, Trigger::manual, Trigger::host_boot})
        if (to_string(trigger) == text)
            return trigger;
    return std::nullopt;
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::pending:
            return "pending";
        case Outcome::shut_down:
            return "shut-down";
        case Outcome::saved:
            return "saved";
        case Outcome::migrated:
            return "migrated";
        case Outcome::destroyed:
            return "destroyed";
        case Outcome::left_running:
            return "left-running";
        case Outcome::started:
            return "started";
        case Outcome::restored:
            return "restored";
        case Outcome::already_running:
            return "already-running";
        case Outcome::gone:
            return "gone";
        case Outcome::held_elsewhere:
            return "held-elsewhere";
        case Outcome::skipped:
            return "skipped";
        case Outcome::failed:
            return "failed";
    }
    return "?";
}

bool is_clean(Outcome outcome) {
    switch (outcome) {
        case Outcome::shut_down:
        case Outcome::saved:
        case Outcome::migrated:
        case Outcome::started:
        case Outcome::restored:
        case Outcome::already_running:
        case Outcome::skipped:
        case Outcome::destroyed:  // a defined last step of the ladder, reported with its cause
            return true;
        case Outcome::pending:
        case Outcome::left_running:
        case Outcome::gone:
        case Outcome::held_elsewhere:
        case Outcome::failed:
            return false;
    }
    return false;
}

std::string_view to_string(RunState state) {
    switch (state) {
        case RunState::active:
            return "active";
        case RunState::finished:
            return "finished";
        case RunState::cancelled:
            return "cancelled";
        case RunState::superseded:
            return "superseded";
    }
    return "?";
}

std::optional<RunState> parse_run_state(std::string_view text) {
    for (const auto state :
         {RunState::active, RunState::finished, RunState::cancelled, RunState::superseded})
        if (to_string(state) == text)
            return state;
    return std::nullopt;
}

std::string_view to_string(CallKind kind) {
    switch (kind) {
        case CallKind::start:
            return "start";
        case CallKind::shutdown_auto:
            return "shutdown";
        case CallKind::shutdown_agent:
            return "shutdown:agent";
        case CallKind::shutdown_acpi:
            return "shutdown:acpi";
        case CallKind::save:
            return "save";
        case CallKind::destroy_graceful:
            return "destroy";
        case CallKind::destroy_forced:
            return "destroy (forced)";
        case CallKind::resume:
            return "resume";
        case CallKind::suspend:
            return "suspend";
        case CallKind::wake:
            return "wake";
        case CallKind::abort_job:
            return "abort";
        case CallKind::abort_block:
            return "abort (block job)";
        case CallKind::probe:
            return "probe";
        case CallKind::inspect:
            return "inspect";
        case CallKind::set_time:
            return "set-time";
        case CallKind::ping_agent:
            return "ping-agent";
        case CallKind::find_address:
            return "find-address";
        case CallKind::inspect_image:
            return "inspect-image";
        case CallKind::migrate:
            return "migrate";
        case CallKind::remember:
            return "remember";
        case CallKind::forget:
            return "forget";
    }
    return "?";
}

std::string_view to_string(GuestJob job) {
    switch (job) {
        case GuestJob::none:
            return "none";
        case GuestJob::save:
            return "save";
        case GuestJob::backup:
            return "backup";
        case GuestJob::migration:
            return "migration";
        case GuestJob::block:
            return "block job";
        case GuestJob::other:
            return "job";
    }
    return "?";
}

}  // namespace guestd

std::size_t std::hash<guestd::Uuid>::operator()(const guestd::Uuid& uuid) const noexcept {
    // UUIDs are random already, except for their version bits: fold the halves.
    std::uint64_t halves[2];
    std::memcpy(halves, uuid.raw().data(), sizeof halves);
    return static_cast<std::size_t>(halves[0] ^ (halves[1] * 0x9E3779B97F4A7C15ULL));
}
