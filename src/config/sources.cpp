// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/sources.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>

namespace guestd::config {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMainFiles[] = {"/usr/lib/guestd/guestd.toml", "/etc/guestd/guestd.toml"};
constexpr const char* kDropIns[] = {"/usr/lib/guestd/guestd.toml.d", "/etc/guestd/guestd.toml.d"};
constexpr const char* kSysconfig[] = {"/etc/sysconfig/guestd", "/etc/default/guestd"};

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

bool is_missing(const std::error_code& error) {
    return error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
}

/// Anything but "not there" counts as there: reading it then says what is wrong.
bool exists(const std::string& path) {
    std::error_code error;
    const bool there = fs::exists(path, error);
    return there || (error && !is_missing(error));
}

/// name -> path; later folders replace names of earlier ones.
void list_drop_ins(const std::string& folder, std::map<std::string, std::string>& found,
                   Problems& problems) {
    std::error_code error;
    for (fs::directory_iterator at{folder, error}, end; !error && at != end; at.increment(error)) {
        const auto& path = at->path();
        if (path.extension() == ".toml")
            found[path.filename().string()] = path.string();
        if (found.size() > kMostSources) {
            problems.push_back({folder, 0, 0, fmt::format("more than {} files", kMostSources)});
            return;
        }
    }
    if (error && !is_missing(error))
        problems.push_back({folder, 0, 0, "cannot be listed: " + error.message()});
}

/// The text, or what went wrong.
tl::expected<std::string, std::string> read_file(const std::string& path) {
    std::error_code error;
    const auto type = fs::status(path, error).type();
    if (type == fs::file_type::fifo || type == fs::file_type::socket)
        return tl::unexpected{std::string{"it is no file"}};  // opening it could block for ever
    const std::unique_ptr<std::FILE, CloseFile> file{std::fopen(path.c_str(), "re")};
    if (file == nullptr)
        return tl::unexpected{std::string{std::strerror(errno)}};
    std::string text(kLargestFile + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get()) != 0)
        return tl::unexpected{std::string{std::strerror(errno)}};
    if (text.size() > kLargestFile)
        return tl::unexpected{fmt::format("larger than {} bytes", kLargestFile)};
    return text;
}

}  // namespace

Sources default_sources(const std::string& root) {
    Sources sources;
    for (const auto* path : kMainFiles)
        if (exists(root + path))
            sources.list.push_back({SourceKind::toml, root + path, {}});
    std::map<std::string, std::string> drop_ins;
    for (const auto* folder : kDropIns)
        list_drop_ins(root + folder, drop_ins, sources.problems);
    for (auto& [name, path] : drop_ins)
        sources.list.push_back({SourceKind::toml, std::move(path), {}});
    for (const auto* path : kSysconfig)
        if (exists(root + path)) {
            sources.list.push_back({SourceKind::sysconfig, root + path, {}});
            break;
        }
    return sources;
}

Sources folder_sources(const std::string& folder) {
    Sources sources;
    if (exists(folder + "/guestd.toml"))
        sources.list.push_back({SourceKind::toml, folder + "/guestd.toml", {}});
    std::map<std::string, std::string> drop_ins;
    list_drop_ins(folder + "/guestd.toml.d", drop_ins, sources.problems);
    for (auto& [name, path] : drop_ins)
        sources.list.push_back({SourceKind::toml, std::move(path), {}});
    return sources;
}

Sources file_source(const std::string& path) {
    return {{{SourceKind::toml, path, {}}}, {}};
}

Sources text_source(std::string toml, std::string name) {
    return {{{SourceKind::toml, std::move(name), std::move(toml)}}, {}};
}

std::vector<Source> read_sources(const Sources& sources, Problems& problems) {
    problems.insert(problems.end(), sources.problems.begin(), sources.problems.end());
    std::vector<Source> read;
    for (auto source : sources.list) {
        if (!source.text) {
            auto text = read_file(source.name);
            if (!text) {
                problems.push_back({source.name, 0, 0, "cannot be read: " + text.error()});
                continue;
            }
            source.text = *std::move(text);
        }
        read.push_back(std::move(source));
    }
    return read;
}

}  // namespace guestd::config
