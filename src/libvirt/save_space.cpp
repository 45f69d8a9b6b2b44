// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/save_space.hpp"

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace guestd::libvirt {

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;
/// Of an image besides the guest's memory: its XML, the devices' state and video memory, and what a
/// file system spends on a file.
constexpr Bytes kOverhead{16 * kMiB};

std::string in_words(std::uint64_t bytes) {
    char text[32];
    if (bytes < kGiB) {
        std::snprintf(text, sizeof text, "%.0f MiB",
                      static_cast<double>(bytes) / static_cast<double>(kMiB));
    } else {
        std::snprintf(text, sizeof text, "%.1f GiB",
                      static_cast<double>(bytes) / static_cast<double>(kGiB));
    }
    return text;
}

}  // namespace

std::optional<std::filesystem::path> save_folder_of(std::string_view uri) {
    constexpr auto kImages = "libvirt/qemu/save";
    if (uri == "qemu:///system") {
        return std::filesystem::path{"/var/lib"} / kImages;
    }
    if (uri != "qemu:///session") {
        return std::nullopt;
    }
    if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config == '/') {
        return std::filesystem::path{config} / kImages;
    }
    const char* home = std::getenv("HOME");
    return home != nullptr && *home == '/'
               ? std::optional{std::filesystem::path{home} / ".config" / kImages}
               : std::nullopt;
}

std::optional<Bytes> free_space(const std::filesystem::path& path) {
    struct statvfs found {};
    for (auto at = path; statvfs(at.c_str(), &found) != 0; at = at.parent_path()) {
        // libvirt makes the folder with the first image.
        if (errno != ENOENT || !at.has_relative_path()) {
            return std::nullopt;
        }
    }
    return Bytes{static_cast<std::uint64_t>(found.f_bavail) * found.f_frsize};
}

bool opens_directly(const std::filesystem::path& path) {
    struct statfs found {};
    if (statfs(path.c_str(), &found) != 0) {
        return false;
    }
    // Others may, too; but the price of a wrong yes is the image.
    constexpr std::uint64_t kKnown[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                        NFS_SUPER_MAGIC};
    return std::ranges::find(kKnown, static_cast<std::uint64_t>(found.f_type)) != std::end(kKnown);
}

Bytes image_size(Bytes memory, Bytes resident) {
    if (memory == Bytes{} || resident == Bytes{}) {
        return Bytes{std::max(memory, resident).count + kOverhead.count};
    }
    // Too little for a guest in huge pages, or that the host has swapped out: then it is libvirt
    // who finds out.
    return Bytes{std::min(memory, resident).count + kOverhead.count};
}

SaveSpace::Reservation::~Reservation() {
    const std::lock_guard lock{space_->mutex_};
    space_->saves_.erase(uuid_);
}

std::uint64_t SaveSpace::owed() const {
    std::uint64_t sum = 0;
    for (const auto& [uuid, save] : saves_) {
        sum += save.need.count - std::min(save.written, save.need).count;
    }
    return sum;
}

tl::expected<SaveSpace::ReservationPtr, std::string> SaveSpace::reserve(const Uuid& uuid,
                                                                        Bytes need) {
    // Not under the lock: a file system may hang, and must not hang those that write to it already.
    const auto free = folder_ ? ask_(*folder_) : std::nullopt;
    const std::lock_guard lock{mutex_};
    if (free) {
        const auto left = free->count - std::min(free->count, owed());
        if (left < need.count) {
            return tl::unexpected{"no room for the saved image: it may need " +
                                  in_words(need.count) + ", " + folder_->string() + " has " +
                                  in_words(left) + " left"};
        }
    }
    saves_[uuid] = {.need = need};
    return std::make_unique<Reservation>(shared_from_this(), uuid);
}

Bytes SaveSpace::expected(const Uuid& uuid) {
    const std::lock_guard lock{mutex_};
    const auto found = saves_.find(uuid);
    return found == saves_.end() ? Bytes{} : found->second.need;
}

void SaveSpace::wrote(const Uuid& uuid, Bytes written) {
    const std::lock_guard lock{mutex_};
    if (const auto found = saves_.find(uuid); found != saves_.end()) {
        found->second.written = written;
    }
}

}  // namespace guestd::libvirt
