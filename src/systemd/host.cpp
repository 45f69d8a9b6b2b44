// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/host.hpp"

#include <systemd/sd-id128.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace guestd::systemd {

Result<std::string> boot_id() {
    sd_id128_t id{};
    const char* const told = std::getenv("GUESTD_BOOT_ID");
    const bool is_told = told != nullptr && sd_id128_from_string(told, &id) == 0;
    if (const int code = is_told ? 0 : sd_id128_get_boot(&id); code < 0)
        return fail(ErrorCode::io, std::string{"reading the boot id: "} + std::strerror(-code));
    std::array<char, SD_ID128_STRING_MAX> text{};
    return std::string{sd_id128_to_string(id, text.data())};
}

}  // namespace guestd::systemd
