// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Room for saved images, looked for before a save instead of in the middle of it.
///
/// A save that fills the disk has paused its guest for nothing, and takes the room of those that
/// would have fitted. So each save reserves what its image may need for as long as it lasts; what
/// the others have reserved and not yet written is no longer free. Only the places that libvirt has
/// built in are known; elsewhere, and where a file system cannot be asked, there is always room.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "guestd/types.hpp"

namespace guestd::libvirt {

/// Where the managed images of qemu:///system and of qemu:///session (of our own user) are; empty
/// for every other URI.
std::optional<std::filesystem::path> save_folder_of(std::string_view uri);

/// To be had without privileges, at `path` or its nearest parent that exists; empty when nobody
/// tells. May block as long as the file system does.
std::optional<Bytes> free_space(const std::filesystem::path& path);

/// True where open(2) with O_DIRECT is known to work: an image there can be read around the cache.
bool opens_directly(const std::filesystem::path& path);

/// What an image may need at most: what of its memory (zero = not known) a guest has touched, as
/// the size of its process shows (zero = not known), and what comes on top.
Bytes image_size(Bytes memory, Bytes resident);

/// All members are thread-safe.
class SaveSpace : public std::enable_shared_from_this<SaveSpace> {
public:
    using Ask = std::function<std::optional<Bytes>(const std::filesystem::path&)>;

    explicit SaveSpace(std::optional<std::filesystem::path> folder, Ask ask = free_space)
        : folder_(std::move(folder)), ask_(std::move(ask)) {}

    /// Where libvirt keeps its images; empty where that is not known.
    const std::optional<std::filesystem::path>& folder() const { return folder_; }
    /// False: there is always room.
    bool is_limited() const { return folder_.has_value(); }
    /// False also where nobody knows. May block as long as the file system does.
    bool opens_directly() const { return folder_ && libvirt::opens_directly(*folder_); }

    class Reservation {
    public:
        Reservation(std::shared_ptr<SaveSpace> space, const Uuid& uuid)
            : space_(std::move(space)), uuid_(uuid) {}
        ~Reservation();
        Reservation(const Reservation&) = delete;
        Reservation& operator=(const Reservation&) = delete;

    private:
        std::shared_ptr<SaveSpace> space_;
        Uuid uuid_;
    };
    using ReservationPtr = std::unique_ptr<Reservation>;

    /// Why there is no room, in words for people; else it is reserved for as long as the result
    /// lives. One per guest at a time. May block as long as the file system does.
    tl::expected<ReservationPtr, std::string> reserve(const Uuid& uuid, Bytes need);

    /// Of the guest's image so far.
    void wrote(const Uuid& uuid, Bytes written);
    /// What its image may need at most; zero = not reserved.
    Bytes expected(const Uuid& uuid);

private:
    struct Owed {
        Bytes need;
        Bytes written{};
    };
    std::uint64_t owed() const;

    const std::optional<std::filesystem::path> folder_;
    const Ask ask_;
    std::mutex mutex_;
    std::map<Uuid, Owed> saves_;
};

}  // namespace guestd::libvirt
