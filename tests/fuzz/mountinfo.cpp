// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's list of mounts, whose paths whoever mounts chooses.
#include "sensors/mountinfo.hpp"

#include <algorithm>

#include "fuzz.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    const auto mounts = sensors::parse_mountinfo(text);
    const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
    fuzz::require(mounts.size() <= static_cast<std::size_t>(lines), "one mount to a line");
    for (const auto& mount : mounts) {
        const auto plain = sensors::plain_path(mount.point);
        fuzz::require(sensors::plain_path(plain) == plain, "plain is plain");
        const auto seen = sensors::mounted_at(mounts, plain);
        fuzz::require(sensors::mounted_at(mounts, plain) == seen, "the same answer again");
        // Nothing can hide the only one.
        if (mounts.size() == 1 && plain == mount.point && plain.starts_with('/'))
            fuzz::require(seen != sensors::MountState::none, "it is mounted there");
    }
    return 0;
}
