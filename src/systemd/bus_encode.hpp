// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Views as D-Bus dictionaries. The keys are public interface, documented in docs/org.guestd1.xml:
/// keys may be added, none is renamed or changes its type. A value that is unknown, or does not
/// apply, has no key.

#include <vector>

#include "systemd/bus_facade.hpp"
#include "systemd/bus_message.hpp"

namespace guestd::bus {

void encode(sd_bus_message* message, const GuestView& view);
void encode(sd_bus_message* message, const MetadataView& view);
void encode(sd_bus_message* message, const UriView& view);
void encode(sd_bus_message* message, const RunView& view);
void encode(sd_bus_message* message, const RunGuestRecord& record);
void encode(sd_bus_message* message, const SpanRecord& record);
void encode(sd_bus_message* message, const ResumeEntry& entry);
void encode(sd_bus_message* message, const SettingView& view);
void encode(sd_bus_message* message, const ProgressView& view);
/// `progress` becomes the key of that name, while a run is active.
void encode(sd_bus_message* message, const StatusView& view,
            const std::optional<ProgressView>& progress);

/// aa{sv}
template <class T>
void encode(sd_bus_message* message, const std::vector<T>& views) {
    Container array{message, 'a', "a{sv}"};
    for (const auto& view : views)
        encode(message, view);
}

}  // namespace guestd::bus
