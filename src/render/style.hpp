// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Meaning of text, shown as colour where there is colour. The sixteen basic colours only: they
/// follow the user's theme, so they can be read on dark and on light ground.

#include <string>
#include <string_view>

#include "guestd/types.hpp"

namespace guestd::render {

enum class Style { plain, bold, dim, good, warn, bad, busy };

/// `text` (escaped already) between colour codes; as it is when `colour` is false or plain.
std::string paint(Style style, std::string_view text, bool colour);

/// Style of a word of the bus: a guest's state, phase or outcome.
Style style_of_state(std::string_view state);
Style style_of_phase(std::string_view phase);
Style style_of_outcome(std::string_view outcome);

}  // namespace guestd::render
