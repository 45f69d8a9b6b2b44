// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/mountinfo.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "sensors/proc_text.hpp"

namespace guestd::sensors {
namespace {

bool is_octal(char character) {
    return character >= '0' && character <= '7';
}

/// The kernel writes space, tab, line feed, backslash and # as \ooo.
std::string unescaped(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && text.size() - at > 3 && text[at + 1] <= '3' &&
            std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                        text.begin() + static_cast<std::ptrdiff_t>(at) + 4, is_octal)) {
            plain.push_back(static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 +
                                              (text[at + 3] - '0')));
            at += 3;
        } else {
            plain.push_back(text[at]);
        }
    }
    return plain;
}

bool read_id(std::string_view word, int& id) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    return error == std::errc{} && end == word.data() + word.size();
}

/// "36 35 98:0 /root /point rw,noatime shared:1 … - ext3 /dev/root rw"
std::optional<Mount> parse_line(std::string_view line) {
    Mount mount;
    if (!read_id(take_until(line, ' '), mount.id) || !read_id(take_until(line, ' '), mount.parent))
        return std::nullopt;
    take_until(line, ' ');  // device
    take_until(line, ' ');  // which part of the file system
    mount.point = unescaped(take_until(line, ' '));
    if (!mount.point.starts_with('/'))
        return std::nullopt;
    take_until(line, ' ');  // options of the mount
    // Any number of fields, each a word, up to a lone hyphen.
    while (!line.empty() && take_until(line, ' ') != "-") {
    }
    mount.type = unescaped(take_until(line, ' '));
    if (mount.type.empty())
        return std::nullopt;
    return mount;
}

bool is_at_or_above(std::string_view point, std::string_view path) {
    if (point == "/")
        return true;
    return path.starts_with(point) && (path.size() == point.size() || path[point.size()] == '/');
}

/// The topmost of what the list begins with: its parent is outside, or is itself.
bool is_root(const Mounts& mounts, const Mount& mount) {
    return mount.parent == mount.id ||
           std::ranges::find(mounts, mount.parent, &Mount::id) == mounts.end();
}

}  // namespace

Mounts parse_mountinfo(std::string_view text) {
    Mounts mounts;
    while (!text.empty())
        if (auto mount = parse_line(take_until(text, '\n')))
            mounts.push_back(std::move(*mount));
    return mounts;
}

MountState mounted_at(const Mounts& mounts, std::string_view path) {
    // Only mounts on the way matter, and the way is walked as the kernel does: on each mount, the
    // next one is whichever comes first on it, and the shortest path is what comes first.
    std::vector<const Mount*> way;
    for (const auto& mount : mounts)
        if (is_at_or_above(mount.point, path))
            way.push_back(&mount);
    std::ranges::stable_sort(way, {}, [](const Mount* mount) { return mount->point.size(); });
    const Mount* at = nullptr;
    for (;;) {
        const auto next = std::ranges::find_if(way, [&](const Mount* mount) {
            if (at == nullptr)
                return is_root(mounts, *mount);
            return mount->parent == at->id && mount->id != at->id &&
                   mount->point.size() >= at->point.size();
        });
        if (next == way.end())
            break;
        at = *next;
        // A list that was changed while it was read must not lead in circles.
        way.erase(next);
    }
    if (at == nullptr || at->point != path)
        return MountState::none;
    return at->type == "autofs" ? MountState::trap : MountState::mounted;
}

std::string plain_path(std::string_view path) {
    std::string plain;
    while (!path.empty()) {
        const auto part = take_until(path, '/');
        if (!part.empty() && part != ".")
            plain.append("/").append(part);
    }
    return plain.empty() ? "/" : plain;
}

}  // namespace guestd::sensors
