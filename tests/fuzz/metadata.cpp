// SPDX-License-Identifier: LGPL-2.1-or-later
// The metadata of a guest, which whoever may define guests writes: it can refuse its own policy,
// never anybody else's.
#include "config/metadata.hpp"

#include "config/config.hpp"
#include "fuzz.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto kBuiltIn = config::Config::built_in();
    const std::string text{fuzz::text_of(data, size)};
    config::parse_metadata(text);
    const GuestFacts facts{.uri = "qemu:///system", .uuid = {}, .name = "web", .metadata = text};
    const auto policy = kBuiltIn->guest(facts, Trigger::reboot);
    fuzz::require(!policy.stop.stop.empty(), "every guest has a ladder");
    kBuiltIn->metadata_problems(facts);
    kBuiltIn->explain(&facts, std::nullopt);
    return 0;
}
