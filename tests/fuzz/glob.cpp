// SPDX-License-Identifier: LGPL-2.1-or-later
// A pattern, a line end, a name. The C library's fnmatch() is the judge of what both understand.
#include "config/glob.hpp"

#include <fnmatch.h>

#include "fuzz.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto [pattern, name] = fuzz::halves(fuzz::text_of(data, size), '\n');
    const bool matches = config::glob_matches(pattern, name);
    if (!config::glob_error(pattern).empty())
        return 0;
    // What stands in brackets is bytes here, and more than that in the C library.
    const bool plain = pattern.find('[') == std::string::npos;
    if (plain && (pattern + name).find('\0') == std::string::npos)
        fuzz::require(matches == (fnmatch(pattern.c_str(), name.c_str(), 0) == 0), "as fnmatch()");
    if (config::is_literal(pattern))
        fuzz::require(config::glob_matches(pattern, name) == (pattern == name), "a literal");
    if (plain)
        fuzz::require(config::glob_matches(pattern, config::glob_sample(pattern)),
                      "its own sample");
    return 0;
}
