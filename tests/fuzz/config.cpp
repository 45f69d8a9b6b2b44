// SPDX-License-Identifier: LGPL-2.1-or-later
// guestd.toml, as an administrator writes it. What is accepted answers every question, and loads
// again from its bundle with the same values.
#include "config/config.hpp"

#include "fuzz.hpp"

using namespace guestd;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto loaded =
        config::Config::load(config::text_source(std::string{fuzz::text_of(data, size)}));
    if (!loaded) {
        require(!loaded.error().empty(), "a refused text has a problem");
        return 0;
    }
    const GuestFacts facts{.uri = "qemu:///system", .uuid = {}, .name = "db-1", .metadata = {}};
    for (const auto trigger : {std::optional<Trigger>{}, std::optional{Trigger::ups}}) {
        (*loaded)->guest(facts, trigger);
        (*loaded)->uri(facts.uri, trigger);
    }
    (*loaded)->unmatched({facts});
    const auto again = config::Config::load_bundle((*loaded)->bundle());
    require(again.has_value(), "a bundle loads again");
    const auto before = (*loaded)->explain(&facts, Trigger::reboot);
    const auto after = (*again)->explain(&facts, Trigger::reboot);
    require(before.size() == after.size(), "a bundle has the same settings");
    for (std::size_t i = 0; i < before.size(); ++i)
        require(before[i].value == after[i].value && before[i].origin == after[i].origin,
                "a bundle has the same values");
    return 0;
}
