// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// UTF-8, byte by byte: names and texts come from outside and may be anything. D-Bus, JSON, XML and
/// terminals each break in their own way on bytes that are not UTF-8, so every face of guestd walks
/// its strings with this one decoder.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace guestd {

/// One character, or one byte that begins none.
struct Utf8Char {
    char32_t code = 0;       ///< the byte itself when not valid
    std::size_t length = 1;  ///< bytes it takes
    bool valid = false;
};

/// Decodes the first character of `text`, which must not be empty. Overlong forms, surrogates and
/// anything above U+10FFFF are not valid and take one byte.
constexpr Utf8Char decode_utf8(std::string_view text) {
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80)
        return {lead, 1, true};
    const Utf8Char broken{lead, 1, false};
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length)
        return broken;
    char32_t code = lead & (0x7FU >> length);
    for (std::size_t at = 1; at < length; ++at) {
        if ((byte(at) & 0xC0U) != 0x80)
            return broken;
        code = (code << 6) | (byte(at) & 0x3FU);
    }
    if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return broken;
    return {code, length, true};
}

/// Control characters of ASCII and Latin-1, and the invisible ones that turn text around on a
/// terminal (bidirectional overrides and isolates, line and paragraph separators).
constexpr bool is_control(char32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x200E || code == 0x200F ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xFEFF;
}

}  // namespace guestd
