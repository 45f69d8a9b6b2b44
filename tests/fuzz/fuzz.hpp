// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the fuzzers share. Each target is one file with one `LLVMFuzzerTestOneInput`; beyond "no
/// crash, no leak, nothing undefined" each states what must hold for whatever the parser accepts.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

namespace guestd::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// What is before the first separator, and what is behind it ("" when there is none).
inline std::pair<std::string, std::string> halves(std::string_view text, char separator) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos)
        return {std::string{text}, {}};
    return {std::string{text.substr(0, at)}, std::string{text.substr(at + 1)}};
}

/// Ends the process, as libFuzzer wants a finding to be told.
inline void require(bool holds, std::string_view what) {
    if (holds)
        return;
    std::cerr << "does not hold: " << what << std::endl;
    std::abort();
}

}  // namespace guestd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
