// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/disk_files.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <fstream>
#include <pugixml.hpp>
#include <string_view>

namespace guestd::libvirt {

namespace {

bool is_removable(std::string_view device) {
    return device == "cdrom" || device == "floppy";
}

/// Not by opening it: that needs permission, and wakes up whoever watches the device.
std::string device_size(dev_t device) {
    const auto number = std::to_string(major(device)) + ":" + std::to_string(minor(device));
    std::string sectors;
    std::ifstream{"/sys/dev/block/" + number + "/size"} >> sectors;
    return sectors;
}

/// "" when it cannot be looked at.
std::string fingerprint_of(const std::string& path) {
    struct stat found {};
    if (stat(path.c_str(), &found) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? path + " absent\n" : "";
    }
    if (S_ISBLK(found.st_mode)) {
        const auto size = device_size(found.st_rdev);
        return size.empty() ? "" : path + " device " + size + "\n";
    }
    return path + " file " + std::to_string(found.st_size) + " " +
           std::to_string(found.st_mtim.tv_sec) + "." + std::to_string(found.st_mtim.tv_nsec) +
           "\n";
}

}  // namespace

std::vector<DiskFile> disk_files(const char* xml) {
    std::vector<DiskFile> files;
    pugi::xml_document document;
    if (!document.load_string(xml)) {
        return files;
    }
    for (const auto& disk : document.child("domain").child("devices").children("disk")) {
        const auto source = disk.child("source");
        const std::string_view type = disk.attribute("type").as_string();
        const auto path = source.attribute(type == "block" ? "dev" : "file");
        if ((type != "file" && type != "block") || *path.value() == '\0') {
            continue;
        }
        const std::string_view policy = source.attribute("startupPolicy").as_string();
        files.push_back({.path = path.as_string(),
                         // Of a shared one, others' writing says nothing.
                         .writable = !disk.child("readonly") && !disk.child("transient") &&
                                     !disk.child("shareable") &&
                                     !is_removable(disk.attribute("device").as_string()),
                         .optional = policy == "optional"});
    }
    return files;
}

std::vector<std::string> missing_files(const std::vector<DiskFile>& files) {
    std::vector<std::string> missing;
    for (const auto& file : files) {
        struct stat found {};
        if (!file.optional && stat(file.path.c_str(), &found) != 0 &&
            (errno == ENOENT || errno == ENOTDIR)) {
            missing.push_back(file.path);
        }
    }
    return missing;
}

std::string fingerprint(const std::vector<std::string>& paths) {
    std::string text;
    for (const auto& path : paths) {
        const auto line = fingerprint_of(path);
        if (line.empty()) {
            return "";
        }
        text += line;
    }
    return text;
}

}  // namespace guestd::libvirt
