// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/escape.hpp"

#include "guestd/utf8.hpp"

namespace guestd::systemd {
namespace {

void append_hex(std::string& out, std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += "\\x";
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
}

}  // namespace

std::string escaped(std::string_view text, std::size_t limit) {
    std::string out;
    while (!text.empty()) {
        const Utf8Char character = decode_utf8(text);
        const auto bytes = text.substr(0, character.length);
        const std::size_t before = out.size();
        if (!character.valid || is_control(character.code))
            append_hex(out, bytes);
        else if (text.starts_with("\\x"))
            out += "\\\\";
        else
            out += bytes;
        if (out.size() > limit) {
            out.resize(before);
            return out + "…";
        }
        text.remove_prefix(character.length);
    }
    return out;
}

}  // namespace guestd::systemd
