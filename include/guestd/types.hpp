// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The words of the field: guests, their states, runs and triggers.
///
/// A guest is a libvirt domain, identified by (URI, UUID). Its name is for people: it changes, and
/// two URIs may use the same one.

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace guestd {

/// A count of bytes: sizes of memory, images and transfers.
struct Bytes {
    std::uint64_t count = 0;
    auto operator<=>(const Bytes&) const = default;  // NOLINT(modernize-use-nullptr): no pointer
};

/// Sixteen raw bytes, as libvirt hands them out.
class Uuid {
public:
    using Raw = std::array<std::uint8_t, 16>;
    constexpr Uuid() = default;
    explicit constexpr Uuid(const Raw& raw) : raw_(raw) {}

    /// Accepts "8-4-4-4-12" hexadecimal digits of either case; anything else is nullopt.
    static std::optional<Uuid> parse(std::string_view text);
    /// Lower case, with hyphens, 36 characters.
    std::string str() const;
    const Raw& raw() const { return raw_; }
    /// In the order of the bytes, as two numbers: what a plan of thousands does most is to walk
    /// through maps by guest, and a call of memcmp for each step was a seventh of its time.
    constexpr auto operator<=>(const Uuid& other) const { return halves() <=> other.halves(); }
    constexpr bool operator==(const Uuid& other) const { return halves() == other.halves(); }

private:
    constexpr std::array<std::uint64_t, 2> halves() const {
        auto both = std::bit_cast<std::array<std::uint64_t, 2>>(raw_);
        if constexpr (std::endian::native == std::endian::little)
            both = {__builtin_bswap64(both[0]), __builtin_bswap64(both[1])};
        return both;
    }

    Raw raw_{};
};

/// Index of a URI in the daemon's list; stable for the life of the process. Stored state uses the
/// URI's text instead.
enum class UriId : std::uint16_t {};

struct GuestId {
    UriId uri{};
    Uuid uuid{};
    auto operator<=>(const GuestId&) const = default;  // NOLINT(modernize-use-nullptr): no pointer
};

/// What libvirt says of a domain. `running` includes libvirt's "blocked"; `shutting_down` is
/// VIR_DOMAIN_SHUTDOWN: the guest has gone down, QEMU still flushes, so it is still active.
enum class GuestState { absent, shutoff, running, paused, shutting_down, crashed, pmsuspended };

/// True while there is a process that host shutdown would kill.
constexpr bool is_active(GuestState state) {
    switch (state) {
        case GuestState::absent:
        case GuestState::shutoff:
            return false;
        case GuestState::running:
        case GuestState::paused:
        case GuestState::shutting_down:
        case GuestState::crashed:
        case GuestState::pmsuspended:
            return true;
    }
    return false;
}

enum class RunKind { boot, drain };

/// Why a run was started. The first five are the host going down; `host_boot` is the boot run of a
/// fresh boot; the rest are asked for by somebody.
enum class Trigger {
    reboot,
    poweroff,
    halt,
    kexec,
    soft_reboot,
    ups,
    maintenance,
    session_end,
    manual,
    host_boot,
};

/// True for the triggers after which every guest that still runs is killed with the host.
bool host_goes_down(Trigger trigger);

/// Number of a run in the store; grows for ever.
using RunId = std::uint32_t;

/// How a guest came out of a run. Exactly one per guest and run.
enum class Outcome {
    pending,  ///< not out yet
    // drain
    shut_down,
    saved,
    migrated,
    destroyed,
    left_running,
    // boot
    started,          ///< booted from its disk
    restored,         ///< from its managed save image
    already_running,  ///< found running, or started by somebody else meanwhile
    gone,             ///< cannot come back: it was transient, or is no longer defined
    held_elsewhere,   ///< its disk lock belongs to another host
    skipped,          ///< the policy says so, or the run was cancelled first
    // both
    failed,
};

std::string_view to_string(GuestState state);
std::string_view to_string(RunKind kind);
/// Trigger and Outcome in the spelling of the configuration: "soft-reboot", "shut-down".
std::string_view to_string(Trigger trigger);
std::string_view to_string(Outcome outcome);
std::optional<Trigger> parse_trigger(std::string_view text);

/// True where the administrator has nothing to look at.
bool is_clean(Outcome outcome);

}  // namespace guestd

template <>
struct std::hash<guestd::Uuid> {
    std::size_t operator()(const guestd::Uuid& uuid) const noexcept;
};

template <>
struct std::hash<guestd::GuestId> {
    std::size_t operator()(const guestd::GuestId& id) const noexcept {
        return std::hash<guestd::Uuid>{}(id.uuid) * 31 + static_cast<std::size_t>(id.uri);
    }
};
