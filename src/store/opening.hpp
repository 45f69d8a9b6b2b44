// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// How a start of guestd gets at its state, whatever it finds.
///
/// A file that cannot be trusted (damaged, or written by a newer guestd) is set aside under a name
/// with a date, never deleted; what can still be read of it goes into the new one, because a guest
/// that is missing from the resume list is a guest that stays down. Where nothing can be written,
/// what is there is read all the same.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guestd/records.hpp"
#include "store/sqlite.hpp"

namespace guestd::store {

inline constexpr const char* kFileName = "state.db";

struct Opening {
    std::unique_ptr<Database> db;  ///< null when nothing can be written
    /// Set when `db` is null and the place may heal (disk full, read-only): tries again, throws
    /// when that fails too. To be called by the one who writes.
    std::function<std::unique_ptr<Database>()> reopen;
    std::string why_not;  ///< then, or when a first write failed: why
    Restored restored;
    std::optional<std::string> config;
    std::vector<std::string> remarks;  ///< for the journal: everything that was not as it should be
};

/// Does not fail: the worst case is an empty Restored, no `db`, and remarks. Blocks for disk.
Opening open_state(const std::filesystem::path& dir, const std::string& boot_id);

}  // namespace guestd::store
