// SPDX-License-Identifier: LGPL-2.1-or-later
// The last good configuration, as it is found in the state: it may be damaged.
#include "config/config.hpp"
#include "fuzz.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bundle = fuzz::text_of(data, size);
    if (const auto opened = config::open_bundle(bundle))
        fuzz::require(config::open_bundle(config::make_bundle(opened->list)).has_value(),
                      "what was opened can be bundled again");
    const auto loaded = config::Config::load_bundle(bundle);
    fuzz::require(loaded.has_value() || !loaded.error().empty(), "a refused bundle has a problem");
    return 0;
}
