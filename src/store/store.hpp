// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// guestd's durable state: `state.db` in the state folder.
///
/// Writes go, in order, through one thread of their own. Whatever has queued up by the time that
/// thread wakes becomes one transaction, so a thousand guests cost a few fsyncs, not thousands.
/// `Stored{durable}` is told after COMMIT has returned, never before.
///
/// What cannot be written (disk full, read-only) is answered with `durable = false` at once and
/// kept, in order, for another try: space comes back when an aborted save is cleaned up, and a
/// `DropEntry` that is never written would start its guest again at the next boot.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guestd/error.hpp"
#include "guestd/ports/hypervisor.hpp"
#include "guestd/ports/state_store.hpp"
#include "guestd/records.hpp"

namespace guestd::store {

class Store;
class Writer;

struct Opened {
    std::unique_ptr<Store> store;
    Restored restored;
    std::vector<std::string> remarks;  ///< what was not as it should be, one line each, for people
};

class Store final : public StateStore {
public:
    /// Opens or creates the state in `dir`. A damaged file, a newer one, or a folder that cannot be
    /// written is no error: the store works as far as it can, and `remarks` tell. Fails only when
    /// no thread can be made. Blocks for a few disk reads and one write: call before the loop runs.
    /// `boot_id` is this boot's; `sink` gets a `Stored` for every write with an id, from the
    /// store's thread, and nothing after the destructor has returned.
    static Result<Opened> open(const std::filesystem::path& dir, const std::string& boot_id,
                               EventSink sink);

    /// Writes what is queued, for a bounded time: a thread that a dying disk holds is left behind.
    ~Store() override;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    void write(const StoreRun& command) override;
    void write(const StoreEntries& command) override;
    void write(const DropEntry& command) override;
    void write(const StoreGuest& command) override;
    void write(const StoreSpan& command) override;
    void write(const StoreLearned& command) override;
    void write(const StoreRunEnd& command) override;

    /// Keeps this text as the last good configuration. Does not block.
    void write_config(std::string text);
    /// As found at `open`, or written since. Loop's thread.
    const std::optional<std::string>& last_good_config() const { return config_; }

private:
    Store(std::shared_ptr<Writer> writer, std::optional<std::string> config);

    std::shared_ptr<Writer> writer_;
    std::optional<std::string> config_;
};

}  // namespace guestd::store
