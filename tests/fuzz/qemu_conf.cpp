// SPDX-License-Identifier: LGPL-2.1-or-later
// libvirt's qemu.conf, of which guestd reads by what libvirt stops guests itself.
#include <algorithm>

#include "fuzz.hpp"
#include "takeover/host_facts.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text{fuzz::text_of(data, size)};
    const auto found = takeover::auto_shutdown_of(text);
    fuzz::require(found.size() <= 3, "each setting once");
    std::string all;
    for (const auto& line : found) {
        fuzz::require(line.starts_with("auto_shutdown_") && line.ends_with('"'), "a setting");
        fuzz::require(line.find('\n') == std::string::npos, "one line");
        fuzz::require(line.size() <= text.size() + 40, "nothing added to its value");
        all += line + "\n";
    }
    const bool quoted = std::ranges::any_of(
        found, [](const auto& line) { return std::ranges::count(line, '"') != 2; });
    if (!quoted)
        fuzz::require(takeover::auto_shutdown_of(all) == found, "they read the same again");
    return 0;
}
