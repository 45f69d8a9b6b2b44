// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Hears of names that come and go in a folder, by inotify on libvirt's event thread.
///
/// The folder need not be there: then what there is of the way to it is watched, for the next name
/// on that way. Nothing is heard of what other hosts do on network storage, nor where the kernel
/// has no inotify left: whoever needs to be sure also looks now and then.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace guestd::libvirt {

class FolderWatch {
public:
    /// The name that has come or gone; "" = the folder itself, or nobody knows what. On the event
    /// thread: must not block.
    using Callback = std::function<void(const std::string& name)>;

    /// Hears nothing before settle(). Does not block.
    FolderWatch(std::filesystem::path folder, Callback callback);
    /// Does not wait for the callback, which may be running, or about to.
    ~FolderWatch();
    FolderWatch(const FolderWatch&) = delete;
    FolderWatch& operator=(const FolderWatch&) = delete;

    /// To be called at first, and again after each callback. Not on two threads at once. Blocks as
    /// long as the file system does.
    void settle();
    /// Hears nothing until the next settle(). Thread-safe; does not block.
    void rest();

private:
    class Ear;
    const std::filesystem::path folder_;
    std::shared_ptr<Ear> ear_;  ///< shared with the event thread
    int handle_ = -1;
};

}  // namespace guestd::libvirt
