// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/definition_diff.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <pugixml.hpp>
#include <string_view>
#include <utility>

namespace guestd::libvirt {

namespace {

/// More than this is another machine, and nobody reads on.
constexpr std::size_t kMost = 10;

using Node = pugi::xml_node;
/// Name of a device, for people and as its key -> where it is from.
using Devices = std::map<std::string, std::string>;

std::string text_of(Node node, const char* attribute) {
    return node.attribute(attribute).as_string();
}

/// The first of these attributes that is there.
std::string first_of(Node node, std::initializer_list<const char*> attributes) {
    for (const char* name : attributes) {
        if (const auto attribute = node.attribute(name)) {
            return attribute.as_string();
        }
    }
    return {};
}

std::string size_text(std::uint64_t kib) {
    constexpr std::pair<std::uint64_t, const char*> kUnits[] = {{1U << 20, " GiB"},
                                                                {1U << 10, " MiB"}};
    for (const auto& [unit, name] : kUnits) {
        if (kib != 0 && kib % unit == 0) {
            return std::to_string(kib / unit) + name;
        }
    }
    return std::to_string(kib) + " KiB";
}

std::string disk_source(Node disk) {
    const auto source = disk.child("source");
    const auto volume = text_of(source, "volume");
    if (!volume.empty()) {
        return text_of(source, "pool") + "/" + volume;
    }
    const auto protocol = text_of(source, "protocol");
    return protocol.empty() ? first_of(source, {"file", "dev", "dir", "type", "path"})
                            : protocol + ":" + text_of(source, "name");
}

/// The medium in a drive is the guest's own affair: it may eject it.
bool is_drive(Node disk) {
    const std::string_view device = disk.attribute("device").as_string();
    return device == "cdrom" || device == "floppy";
}

Devices disks(Node devices) {
    Devices found;
    for (const auto& disk : devices.children("disk")) {
        found["disk " + text_of(disk.child("target"), "dev")] =
            is_drive(disk) ? text_of(disk, "device") : disk_source(disk);
    }
    return found;
}

/// Of an interface that is up libvirt may tell what its network came down to (a bridge), and still
/// the network's name.
Devices interfaces(Node devices) {
    Devices found;
    for (const auto& each : devices.children("interface")) {
        const auto source = each.child("source");
        const auto network = text_of(source, "network");
        const auto where = first_of(source, {"bridge", "dev", "path", "address", "name"});
        auto& told = found["interface " + text_of(each.child("mac"), "address")];
        told = network.empty() ? text_of(each, "type") : "network " + network;
        if (network.empty() && !where.empty()) {
            told.append(" ").append(where);
        }
    }
    return found;
}

std::string numbers(Node node) {
    std::string text;
    for (const char* name :
         {"domain", "bus", "slot", "function", "device", "controller", "target", "unit", "uuid"}) {
        if (const auto attribute = node.attribute(name)) {
            text += (text.empty() ? "" : ":") + std::string{attribute.as_string()};
        }
    }
    return text;
}

std::string hostdev_name(Node hostdev) {
    const auto source = hostdev.child("source");
    const auto kind = first_of(hostdev, {"type", "mode"});
    // Of one that is given by what it is libvirt fills in where it was found.
    if (const auto vendor = source.child("vendor")) {
        return kind + " " + text_of(vendor, "id") + ":" + text_of(source.child("product"), "id");
    }
    const auto rest = first_of(source, {"wwpn"}) + source.child_value("block") +
                      source.child_value("char") + source.child_value("interface");
    return kind + " " + text_of(source.child("adapter"), "name") +
           numbers(source.child("address")) + rest;
}

Devices host_devices(Node devices) {
    Devices found;
    for (const auto& each : devices.children("hostdev")) {
        found["host device " + hostdev_name(each)] = "";
    }
    return found;
}

class Comparison {
public:
    void value(const std::string& name, const std::string& image, const std::string& definition) {
        if (image != definition) {
            all_.push_back(name + ": " + image + " in the image, " + definition +
                           " in the definition");
        }
    }
    void devices(const Devices& image, const Devices& definition) {
        for (const auto& [name, source] : image) {
            const auto other = definition.find(name);
            if (other == definition.end()) {
                only(name, source, "image");
            } else if (source != other->second) {
                value(name, or_nothing(source), or_nothing(other->second));
            }
        }
        for (const auto& [name, source] : definition) {
            if (!image.contains(name)) {
                only(name, source, "definition");
            }
        }
    }
    std::vector<std::string> told() && {
        if (all_.size() > kMost) {
            const auto more = all_.size() - kMost;
            all_.resize(kMost);
            all_.push_back("and " + std::to_string(more) + " more");
        }
        return std::move(all_);
    }

private:
    static std::string or_nothing(const std::string& source) {
        return source.empty() ? "nothing" : source;
    }
    void only(const std::string& name, const std::string& source, const std::string& where) {
        all_.push_back(name + (source.empty() ? "" : " (" + source + ")") + ": only in the " +
                       where);
    }

    std::vector<std::string> all_;
};

std::string count_of(Node devices, const char* kind) {
    const auto found = devices.children(kind);
    return std::to_string(std::distance(found.begin(), found.end()));
}

/// Compared by their number. Not here: what every guest has whatever it was given (controllers,
/// input devices, a balloon, an audio backend), and the console, which is the first serial port
/// under another name.
constexpr std::array kCounted = {
    "filesystem", "memory",   "tpm", "serial",   "parallel",  "channel", "video", "graphics",
    "sound",      "watchdog", "rng", "redirdev", "smartcard", "shmem",   "vsock", "lease"};

std::string processors(Node domain) {
    const auto vcpu = domain.child("vcpu");
    const std::string most = vcpu.text().as_string();
    const std::string current = text_of(vcpu, "current");
    return current.empty() || current == most ? most : current + " of " + most;
}

}  // namespace

std::vector<std::string> definition_differences(const char* image, const char* definition) {
    pugi::xml_document image_document;
    pugi::xml_document definition_document;
    if (!image_document.load_string(image) || !definition_document.load_string(definition)) {
        return {};
    }
    const auto left = image_document.child("domain");
    const auto right = definition_document.child("domain");
    if (!left || !right) {
        return {};
    }
    Comparison found;
    found.value("UUID", left.child_value("uuid"), right.child_value("uuid"));
    found.value("memory", size_text(left.child("memory").text().as_ullong()),
                size_text(right.child("memory").text().as_ullong()));
    found.value("vcpus", processors(left), processors(right));
    const auto before = left.child("devices");
    const auto now = right.child("devices");
    found.devices(disks(before), disks(now));
    found.devices(interfaces(before), interfaces(now));
    found.devices(host_devices(before), host_devices(now));
    for (const char* kind : kCounted) {
        found.value(std::string{kind} + " devices", count_of(before, kind), count_of(now, kind));
    }
    return std::move(found).told();
}

}  // namespace guestd::libvirt
