// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Patterns over names, as fnmatch(3) reads them without flags: `*`, `?`, `[a-z]`, `[!a-z]`, and a
/// backslash before a character that means itself. Bytes, not characters; no locale.

#include <string>
#include <string_view>

namespace guestd::config {

/// Linear in practice, at worst the product of both lengths; no recursion. A broken pattern (see
/// `glob_error`) matches nothing.
bool glob_matches(std::string_view pattern, std::string_view text);

/// What is wrong with the pattern, as the end of a sentence; "" when nothing.
std::string_view glob_error(std::string_view pattern);

/// No pattern character in it: it matches exactly one name, itself.
bool is_literal(std::string_view pattern);

/// A name that the pattern matches and that only patterns at least as wide match: for judging
/// patterns against each other.
std::string glob_sample(std::string_view pattern);

}  // namespace guestd::config
