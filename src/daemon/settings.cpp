// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/settings.hpp"

#include <cstdio>
#include <utility>

#include "config/user_sources.hpp"

namespace guestd::daemon {
namespace {

std::vector<std::string> render(const config::Problems& problems) {
    std::vector<std::string> lines;
    for (const auto& problem : problems)
        lines.push_back(config::render_problem(problem));
    return lines;
}

}  // namespace

config::Sources sources_of(const Options& options) {
    config::Sources sources;
    if (options.user)
        sources = config::user_sources(options.config_files.empty() ? options.config_dir : "");
    else if (options.config_files.empty())
        sources = config::default_sources();
    for (const auto& file : options.config_files)
        for (auto& source : config::file_source(file).list)
            sources.list.push_back(std::move(source));
    if (!options.sysconfig)
        std::erase_if(sources.list, [](const auto& source) {
            return source.kind == config::SourceKind::sysconfig;
        });
    return sources;
}

Settings load_settings(const Options& options, const std::optional<std::string>& last_good) {
    Settings settings;
    auto loaded = config::Config::load(sources_of(options));
    if (loaded) {
        settings.config = *loaded;
        settings.warnings = render((*loaded)->warnings());
        return settings;
    }
    settings.problems = render(loaded.error());
    const auto first = settings.problems.empty() ? "unreadable" : settings.problems.front();
    if (last_good)
        if (auto old = config::Config::load_bundle(*last_good)) {
            settings.config = *old;
            settings.degraded =
                "configuration refused (" + first + "): running on the last good one";
            return settings;
        }
    settings.config = config::Config::built_in();
    settings.degraded = "configuration refused (" + first + "): running on the built-in defaults";
    return settings;
}

int check_config(const Options& options) {
    const auto loaded = config::Config::load(sources_of(options));
    if (!loaded) {
        for (const auto& line : render(loaded.error()))
            std::fprintf(stderr, "%s\n", line.c_str());
        return 1;
    }
    for (const auto& line : render((*loaded)->warnings()))
        std::fprintf(stderr, "warning: %s\n", line.c_str());
    return 0;
}

}  // namespace guestd::daemon
