// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The kernel's list of mounts (proc_pid_mountinfo(5)), and what is to be seen at a path.

#include <string>
#include <string_view>
#include <vector>

namespace guestd::sensors {

struct Mount {
    int id = 0;
    int parent = 0;
    std::string point;  ///< as it is, not escaped
    std::string type;   ///< of the file system
};
using Mounts = std::vector<Mount>;

/// Lines that are not understood, as when the text was cut, are left out.
Mounts parse_mountinfo(std::string_view text);

enum class MountState { none, trap, mounted };

/// What is mounted at this path, and not hidden by a mount over it or over one of its parents.
/// `trap`: an automount point under which nothing has been mounted so far. `path` is absolute and
/// in the shape of `plain_path`; links in it are not followed.
MountState mounted_at(const Mounts& mounts, std::string_view path);

/// Without ".", doubled and closing slashes. ".." stays: what it means depends on links.
std::string plain_path(std::string_view path);

}  // namespace guestd::sensors
