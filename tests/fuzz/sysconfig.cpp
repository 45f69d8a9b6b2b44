// SPDX-License-Identifier: LGPL-2.1-or-later
// /etc/default/guestd and libvirt-guests' own, which any program may have written.
#include "config/sysconfig.hpp"

#include "ctl/import_notes.hpp"
#include "fuzz.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    config::Problems problems;
    const auto variables =
        config::parse_sysconfig("guestd", std::string{fuzz::text_of(data, size)}, problems);
    for (const auto& variable : variables)
        fuzz::require(!variable.name.empty() && variable.place.line > 0,
                      "a variable has a name and a place");
    config::compile_sysconfig("guestd", variables, std::chrono::minutes{10}, problems);
    ctl::differences(variables);
    return 0;
}
