// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// MESSAGE_ID of each kind of journal line: an interface, never changed or given to another kind.
/// The texts that explain them are in systemd/guestd.catalog.

#include <string_view>

#include "guestd/commands.hpp"

namespace guestd::systemd::message_ids {

inline constexpr std::string_view kStarted = "757f77cc441b4d0286e37c32a3793d1a";
inline constexpr std::string_view kConfigRefused = "0d4b1f079a754c858394614bb9cb7957";
inline constexpr std::string_view kDegraded = "f33e347e7cad47d2b846cb4d559492bf";
inline constexpr std::string_view kReloaded = "3c75f98036a64f7b9482ad57d5e12199";
inline constexpr std::string_view kStopping = "29a7c9775c314e2d97c5d2c9725f3f73";
inline constexpr std::string_view kStoreRemark = "a7891ef37dbe409e8a591ad653c370e9";
inline constexpr std::string_view kFault = "b6f9b9419df249f5b10bdfc5c3ee3a98";

inline constexpr std::string_view kRunStarted = "35c383a8ee5f47c89cfd6966fed8f20a";
inline constexpr std::string_view kRunEnded = "23a361ba0c184a4180502040d943e524";
inline constexpr std::string_view kStepStarted = "d10b2d8616b94671b2ca5202688aaacf";
inline constexpr std::string_view kGuestDone = "544b51618387499da60a4670b5c2973d";
inline constexpr std::string_view kGuestRetrying = "35d461bbe94b44a795745804054e230c";
inline constexpr std::string_view kGuestHeld = "cc0695b3c6c64a68892e0ba8fb20677d";
inline constexpr std::string_view kIntentNotStored = "df083adc2ea8492da6cd9379146c7cfa";
inline constexpr std::string_view kUriUnreachable = "58d8e39a113c48329c6d329f733e4a09";
inline constexpr std::string_view kUriAnswers = "d04a844d733349c7b75053f5dcd6e5f5";
inline constexpr std::string_view kStartsHeld = "b711922088e8442c8c2918911cda2f58";
inline constexpr std::string_view kRemark = "e4c0d2bffe9a4fbd8b225e9d15810a7f";

constexpr std::string_view of(NoticeKind kind) {
    switch (kind) {
        case NoticeKind::run_started:
            return kRunStarted;
        case NoticeKind::run_ended:
            return kRunEnded;
        case NoticeKind::step_started:
            return kStepStarted;
        case NoticeKind::guest_done:
            return kGuestDone;
        case NoticeKind::guest_retrying:
            return kGuestRetrying;
        case NoticeKind::guest_held:
            return kGuestHeld;
        case NoticeKind::starts_held:
            return kStartsHeld;
        case NoticeKind::intent_not_stored:
            return kIntentNotStored;
        case NoticeKind::uri_unreachable:
            return kUriUnreachable;
        case NoticeKind::remark:
            return kRemark;
    }
    return kRemark;
}

}  // namespace guestd::systemd::message_ids
