// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/links.hpp"

#include "systemd/log.hpp"
#include "systemd/message_ids.hpp"

namespace guestd::daemon {

void Links::heard(const Event& event) {
    if (const auto* listed = std::get_if<InventoryListed>(&event))
        tell(listed->uri, true,
             "answers, and knows " + std::to_string(listed->guests.size()) + " guests");
    else if (const auto* lost = std::get_if<UriLost>(&event))
        tell(lost->uri, false, "does not answer: " + lost->reason + "; guestd keeps trying");
}

void Links::tell(UriId uri, bool up, const std::string& text) {
    const auto index = static_cast<std::size_t>(uri);
    if (index >= uris_.size() || up_[index] == up)
        return;
    up_[index] = up;
    namespace ids = systemd::message_ids;
    systemd::log({.level = up ? systemd::LogLevel::info : systemd::LogLevel::warning,
                  .message = uris_[index] + " " + text,
                  .message_id = up ? ids::kUriAnswers : ids::kUriUnreachable,
                  .fields = {{systemd::fields::kUri, uris_[index]}}});
}

}  // namespace guestd::daemon
