// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Files that verbs read and write.

#include <string>

namespace guestd::ctl {

/// The whole file. Throws Stop when it cannot be read, or is absurdly large.
std::string read_input(const std::string& path);

/// To this file, or to standard output for "-". Throws Stop when that fails.
void write_output(const std::string& path, const std::string& text);

/// Replaces the file in one go, so that who reads it at the same time finds the old text or the
/// new one; mode 0644, durable before it takes the old one's place. Throws Stop.
void replace_file(const std::string& path, const std::string& text);

}  // namespace guestd::ctl
