// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstring>
#include <string>

namespace guestd::sensors {

/// A sentence in the middle of another one. Abbreviations stay as they are.
inline std::string lower_first(std::string text) {
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

/// An errno: "connection refused".
inline std::string words(int error) {
    return lower_first(std::strerror(error));
}

}  // namespace guestd::sensors
