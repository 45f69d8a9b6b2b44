// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The files and devices of this host that a guest's disks are.

#include <string>
#include <vector>

namespace guestd::libvirt {

struct DiskFile {
    std::string path;
    bool writable = true;   ///< by the guest, to last
    bool optional = false;  ///< the guest starts without it, too
};

/// Of a domain's XML, in its order; without what has no path of its own (network storage, volumes
/// of pools, empty drives). Pure. Text that is no domain XML has none.
std::vector<DiskFile> disk_files(const char* xml);

/// Those that a start needs and that are not there. Those that cannot be looked for (no
/// permission, a server that is away) do not count. Blocks for as long as file systems do.
std::vector<std::string> missing_files(const std::vector<DiskFile>& files);

/// One line each: path, size and, of a regular file, the time of its last change to the
/// nanosecond. Not its owner or mode, which libvirt changes with each start. A device has only a
/// size. "" when there is one that cannot be looked at. Blocks likewise.
std::string fingerprint(const std::vector<std::string>& paths);

}  // namespace guestd::libvirt
