// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Pieces of text that several verbs show.

#include <string>

#include "ctl/decode.hpp"
#include "ctl/terminal.hpp"
#include "render/table.hpp"

namespace guestd::ctl {

/// Table of guests as ListGuests and Progress give them, with what the run does to them.
std::string guest_table(const Json& guests, const Terminal& terminal);
/// What a guest waits for or has come to: "512 MiB of 1.5 GiB", "held for …", a cause.
std::string guest_detail(const Json& guest);
/// Settings as Explain gives them, each with the place it comes from.
std::string settings_table(const Json& settings, const Terminal& terminal);
/// "3: drain (reboot)"
std::string run_title(const Json& run);
/// "4 of 7 guests done, 1 not clean"
std::string run_counts(const Json& run);
/// "clean", "not clean", "cancelled", "active"
render::Cell run_result(const Json& run);
/// "4.2s" for a run or guest that has begun and ended; "" otherwise.
std::string run_duration(const Json& run);

}  // namespace guestd::ctl
