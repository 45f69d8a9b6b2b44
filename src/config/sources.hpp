// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Where configuration comes from: files, or texts in memory. The only part of this module that
/// reads the disk.
///
/// A bundle is all sources read, in one string: the daemon keeps that of the last good
/// configuration in its state folder. It loads again with the same file names, lines and columns,
/// whatever has become of the files.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.hpp"
#include "guestd/error.hpp"

namespace guestd::config {

/// Larger files are refused. A thousand [[guest]] tables take a tenth of it.
inline constexpr std::size_t kLargestFile = std::size_t{1024} * 1024;
/// Configuration is read before the state folder is known to work: an endless folder must not
/// keep guests unprotected.
inline constexpr std::size_t kMostSources = 256;

enum class SourceKind { toml, sysconfig };

struct Source {
    SourceKind kind = SourceKind::toml;
    std::string name;                 ///< path, or any name for a text in memory
    std::optional<std::string> text;  ///< empty: read the file `name`
};

struct Sources {
    std::vector<Source> list;  ///< weakest first
    Problems problems;         ///< folders that could not be read; they fail the load
};

/// The files that exist below `root` ("" = the system's): /usr/lib/guestd/guestd.toml,
/// /etc/guestd/guestd.toml, then the *.toml of guestd.toml.d of both, by name, where a file in /etc
/// replaces one of the same name in /usr/lib; last /etc/sysconfig/guestd, else /etc/default/guestd.
/// Blocks on the disk.
Sources default_sources(const std::string& root = "");

/// guestd.toml of this folder and the *.toml of its guestd.toml.d, by name. Blocks on the disk.
Sources folder_sources(const std::string& folder);

/// One TOML file, and nothing else.
Sources file_source(const std::string& path);
Sources text_source(std::string toml, std::string name = "guestd.toml");

/// Texts of all sources. Those that cannot be read are appended to `problems` and left out.
std::vector<Source> read_sources(const Sources& sources, Problems& problems);

std::string make_bundle(const std::vector<Source>& sources);
/// `corrupt`: not a whole bundle.
Result<Sources> open_bundle(std::string_view bundle);

}  // namespace guestd::config
