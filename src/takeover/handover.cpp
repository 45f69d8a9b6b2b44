// SPDX-License-Identifier: LGPL-2.1-or-later
#include "takeover/handover.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

namespace guestd::takeover {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGiven =
    "# Written by \"guestctl autostart give\", removed by \"guestctl autostart take\".\n"
    "[boot]\n"
    "autostart = \"leave\"\n";

fs::path drop_in(const std::string& root) {
    return root + kDropIn;
}

/// The configuration with the drop-in, or without it, whatever is on the disk now.
Result<std::shared_ptr<const config::Config>> config_with(bool given, const std::string& root) {
    auto sources = config::default_sources(root);
    auto& list = sources.list;
    const auto name = drop_in(root).string();
    std::erase_if(list, [&](const auto& source) { return source.name == name; });
    if (given) {
        // Among the drop-ins by name, as default_sources() will find it.
        const auto file = fs::path{kDropIn}.filename();
        auto at = list.begin();
        while (at != list.end() && at->kind == config::SourceKind::toml) {
            const fs::path path = at->name;
            if (path.parent_path().extension() == ".d" && path.filename() > file)
                break;
            ++at;
        }
        list.insert(at, {config::SourceKind::toml, name, kGiven});
    }
    auto loaded = config::Config::load(sources);
    if (!loaded)
        return fail(ErrorCode::invalid, "the configuration is refused, so nothing was changed: " +
                                            config::render_problem(loaded.error().front()));
    return *loaded;
}

/// Nothing, when each driver's URI has the mode; else where the other one is said.
std::string objection(const config::Config& config, AutostartMode wanted) {
    std::set<std::string> places;
    bool any = false;
    for (const auto& uri : config.daemon().uris) {
        if (driver_of(uri) == nullptr)
            continue;
        const auto setting = autostart_setting(config, uri);
        any = any || setting.mode == wanted;
        if (setting.mode != wanted)
            places.insert(uri + " (" + setting.origin + ")");
    }
    // One of several that is set apart by a [[uri]] table is meant to be.
    if (any || places.empty())
        return {};
    std::string text;
    for (const auto& place : places)
        text += (text.empty() ? "" : ", ") + place;
    return text;
}

Error io_error(const char* doing, const fs::path& path) {
    return Error{ErrorCode::io,
                 std::string{"cannot "} + doing + " " + path.string() + ": " + strerror(errno)};
}

/// Whole or not at all, and there after a power cut.
Result<void> write_whole(const fs::path& path, const std::string& text) {
    std::error_code ignored;  // opening the file tells
    fs::create_directories(path.parent_path(), ignored);
    const fs::path temporary = path.string() + ".new";
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return tl::unexpected<Error>{io_error("write", temporary)};
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const bool durable = written && ::fsync(fd) == 0;
    const bool closed = ::close(fd) == 0;
    if (!durable || !closed || ::rename(temporary.c_str(), path.c_str()) != 0) {
        auto error = io_error("write", path);
        ::unlink(temporary.c_str());
        return tl::unexpected<Error>{std::move(error)};
    }
    return {};
}

Result<void> make_markers(const config::Config& config, const std::string& root, Done& done) {
    for (const auto* driver : throttled_drivers(config)) {
        if (auto made = make_marker(*driver, root); !made)
            return made;
        done.push_back(marker_of(*driver, root) + " holds libvirt off until the next boot.");
    }
    return {};
}

}  // namespace

Result<Done> give(const std::string& root) {
    const auto config = config_with(true, root);
    if (!config)
        return tl::unexpected<Error>{config.error()};
    if (const auto why = objection(**config, AutostartMode::leave); !why.empty())
        return fail(
            ErrorCode::invalid,
            "a stronger setting says autostart = \"throttle\"; nothing was changed: " + why);
    if (auto written = write_whole(drop_in(root), kGiven); !written)
        return tl::unexpected<Error>{written.error()};
    return Done{drop_in(root).string() + " says autostart = \"leave\" now."};
}

Result<Done> take(const std::string& root) {
    const auto config = config_with(false, root);
    if (!config)
        return tl::unexpected<Error>{config.error()};
    if (const auto why = objection(**config, AutostartMode::throttle); !why.empty())
        return fail(
            ErrorCode::invalid,
            "the configuration itself says autostart = \"leave\"; nothing was changed: " + why);
    Done done;
    // Before the setting: from then on guestd means to start them.
    if (auto made = make_markers(**config, root, done); !made)
        return tl::unexpected<Error>{made.error()};
    if (::unlink(drop_in(root).c_str()) == 0)
        done.insert(done.begin(), drop_in(root).string() + " was removed.");
    else if (errno != ENOENT)
        return tl::unexpected<Error>{io_error("remove", drop_in(root))};
    return done;
}

}  // namespace guestd::takeover
