// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/local_uri.hpp"

namespace guestd::core {

bool is_local(std::string_view uri) {
    const auto scheme = uri.substr(0, uri.find("://"));
    const auto plus = scheme.find('+');
    const auto transport =
        plus == std::string_view::npos ? std::string_view{} : scheme.substr(plus + 1);
    // With three slashes: the host between the second and the third is none.
    return uri.substr(scheme.size()).starts_with(":///") &&
           (transport.empty() || transport == "unix");
}

}  // namespace guestd::core
