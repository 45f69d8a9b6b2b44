// SPDX-License-Identifier: LGPL-2.1-or-later
// The short forms of times, sizes, ladder steps, probes and gates: what is accepted is written in
// a form that is accepted, and means the same.
#include "config/ladder.hpp"
#include "config/probe.hpp"
#include "config/size.hpp"
#include "config/span.hpp"
#include "fuzz.hpp"

using namespace guestd;

namespace {

template <class Parse, class Format>
void round_trip(std::string_view text, const Parse& parse, const Format& format) {
    const auto read = parse(text);
    if (!read) {
        fuzz::require(!read.error().empty(), "what is refused has a reason");
        return;
    }
    const auto again = parse(format(*read));
    fuzz::require(again && *again == *read, "written and read again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    round_trip(text, config::parse_span, config::format_span);
    round_trip(text, config::parse_size, config::format_size);
    round_trip(text, config::parse_probe, config::format_probe);
    round_trip(text, config::parse_need, config::format_need);
    round_trip(
        text, [](std::string_view step) { return config::parse_step(step); }, config::format_step);
    return 0;
}
