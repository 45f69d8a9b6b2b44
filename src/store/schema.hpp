// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The shape of the database, as a list of steps from each version to the next.
///
/// `PRAGMA user_version` is the number of steps a file has had. A step that has been released is
/// never changed: a new one is added behind it.

#include "store/sqlite.hpp"

namespace guestd::store {

/// The version that this program reads and writes.
int schema_version();

/// Brings the file from its version to ours, all steps in one transaction; a new file has version
/// 0. The version must not be newer than ours. Throws SqliteError; then nothing has changed.
void migrate(Database& db);

}  // namespace guestd::store
