// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/marks.hpp"

#include <filesystem>
#include <fstream>

namespace guestd::daemon {

bool Marks::has(const char* name) const {
    std::error_code ignored;
    return !dir_.empty() && std::filesystem::exists(path(name), ignored);
}

void Marks::set(const char* name) const {
    if (!dir_.empty())
        std::ofstream{path(name)};
}

void Marks::clear(const char* name) const {
    std::error_code ignored;
    if (!dir_.empty())
        std::filesystem::remove(path(name), ignored);
}

void Marks::add_line(const char* name, const std::string& line) const {
    if (!dir_.empty())
        std::ofstream{path(name), std::ios::app} << line << '\n';
}

std::vector<std::string> Marks::lines(const char* name) const {
    std::vector<std::string> found;
    if (dir_.empty())
        return found;
    std::ifstream file{path(name)};
    for (std::string line; std::getline(file, line);)
        found.push_back(line);
    return found;
}

}  // namespace guestd::daemon
