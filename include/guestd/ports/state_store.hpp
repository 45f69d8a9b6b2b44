// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "guestd/commands.hpp"

namespace guestd {

/// The durable state. Called on the loop's thread; no member blocks: writes are carried out in
/// order by the store's own thread (a dying disk can hold an fsync for minutes, and the loop's
/// deadlines must hold all the same). A write with a StoreId is answered with `Stored` once it is
/// on the disk, or could not be written.
class StateStore {
public:
    virtual ~StateStore() = default;
    virtual void write(const StoreRun& command) = 0;
    virtual void write(const StoreEntries& command) = 0;
    virtual void write(const DropEntry& command) = 0;
    virtual void write(const StoreGuest& command) = 0;
    virtual void write(const StoreSpan& command) = 0;
    virtual void write(const StoreLearned& command) = 0;
    virtual void write(const StoreRunEnd& command) = 0;
};

}  // namespace guestd
