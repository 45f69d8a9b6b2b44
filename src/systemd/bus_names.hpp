// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Names on the bus, shared by the daemon and guestctl. Part of the public interface: a name that
/// was released once is never changed. Header only, so that guestctl needs nothing of the daemon.

#include <chrono>

namespace guestd::bus {

inline constexpr const char* kService = "org.guestd1";
inline constexpr const char* kPath = "/org/guestd1";
inline constexpr const char* kManager = "org.guestd1.Manager";
inline constexpr const char* kGuestsPath = "/org/guestd1/guest";
inline constexpr const char* kGuest = "org.guestd1.Guest";
inline constexpr const char* kRunsPath = "/org/guestd1/run";
inline constexpr const char* kRun = "org.guestd1.Run";

inline constexpr const char* kErrorInvalid = "org.guestd1.Error.InvalidArgument";
inline constexpr const char* kErrorUnavailable = "org.guestd1.Error.Unavailable";
inline constexpr const char* kErrorIo = "org.guestd1.Error.IO";
inline constexpr const char* kErrorCorrupt = "org.guestd1.Error.Corrupt";
inline constexpr const char* kErrorRefused = "org.guestd1.Error.Refused";
inline constexpr const char* kErrorInternal = "org.guestd1.Error.Internal";
/// The bus' own name: clients and polkit agents know it.
inline constexpr const char* kErrorAccessDenied = "org.freedesktop.DBus.Error.AccessDenied";
/// The caller could do it if it let somebody be asked for a password, and did not.
inline constexpr const char* kErrorInteractionRequired =
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";

/// How long somebody may take to authenticate: to find a password, not to come back from lunch.
inline constexpr std::chrono::seconds kPersonTimeout{120};

inline constexpr const char* kRunStarted = "RunStarted";
inline constexpr const char* kRunEnded = "RunEnded";
inline constexpr const char* kGuestsChanged = "GuestsChanged";
inline constexpr const char* kProgress = "Progress";

}  // namespace guestd::bus
