// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/path_look.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace guestd::sensors {
namespace {

constexpr std::uint32_t kMask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM |
                                IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
/// Links on the way that lead to nothing, and folders that appear while we look. The kernel itself
/// follows 40 links; where it takes more than this, the slow timer is there.
constexpr int kMostHops = 8;

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string joined(const std::string& folder, const std::string& name) {
    return folder == "/" ? folder + name : folder + "/" + name;
}

/// "" when it is no link.
std::string target_of(const std::string& link) {
    std::array<char, PATH_MAX> target;
    const auto size = ::readlink(link.c_str(), target.data(), target.size());
    return size < 0 ? "" : std::string{target.data(), static_cast<std::size_t>(size)};
}

/// Watches the deepest folder that is there on the way to `path`, for the name that comes next.
/// Where to look next: at what that name has meanwhile become, or at what it links to; "" = done.
std::string watch_way(int inotify, const std::string& path, std::vector<Lookout>& lookouts) {
    std::string folder = path;
    while (folder != "/") {
        const std::string name = folder.substr(folder.rfind('/') + 1);
        const std::string below = path.substr(folder.size());
        folder = parent_of(folder);
        const int watch = ::inotify_add_watch(inotify, folder.c_str(), kMask);
        if (watch < 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        if (watch < 0)
            return "";
        Lookout lookout{watch, name};
        const bool known = std::ranges::find(lookouts, lookout) != lookouts.end();
        lookouts.push_back(std::move(lookout));
        if (known)
            return "";
        const auto here = joined(folder, name);
        const auto target = target_of(here);
        if (!target.empty())
            return (target.front() == '/' ? target : joined(folder, target)) + below;
        struct stat status {};
        return !below.empty() && ::stat(here.c_str(), &status) == 0 && S_ISDIR(status.st_mode)
                   ? path
                   : "";
    }
    return "";
}

void watch_all(int inotify, const std::string& path, const std::vector<Lookout>& before,
               Look& look) {
    std::string next = path;
    for (int hop = 0; hop < kMostHops && next.size() > 1 && next.size() < PATH_MAX; ++hop) {
        while (next.size() > 1 && next.back() == '/')
            next.pop_back();
        next = watch_way(inotify, next, look.lookouts);
    }
    for (const auto& old : before)
        if (std::ranges::find(look.lookouts, old.watch, &Lookout::watch) == look.lookouts.end())
            ::inotify_rm_watch(inotify, old.watch);
}

}  // namespace

Look look_at(const std::shared_ptr<const Fd>& inotify, const std::string& path,
             const std::vector<Lookout>& before) {
    Look look;
    if (inotify && *inotify)
        watch_all(inotify->number(), path, before, look);
    struct stat status {};
    look.error = ::stat(path.c_str(), &status) == 0 ? 0 : errno;
    return look;
}

}  // namespace guestd::sensors
