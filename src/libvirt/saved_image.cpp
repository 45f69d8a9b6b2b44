// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libvirt/saved_image.hpp"

#include <fcntl.h>
#include <libvirt/virterror.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "libvirt/definition_diff.hpp"
#include "libvirt/disk_files.hpp"

namespace guestd::libvirt {

namespace {

/// At the head of an image that is being written; replaced when all of it is there.
constexpr std::string_view kPartial = "LibvirtQemudPart";
/// Several in one second are somebody's script; then the name gets a number.
constexpr int kNames = 100;

bool is_partial(const std::filesystem::path& image) {
    std::string magic(kPartial.size(), '\0');
    std::ifstream file{image, std::ios::binary};
    return file.read(magic.data(), static_cast<std::streamsize>(magic.size())) && magic == kPartial;
}

/// Of the disks as the image's own definition has them: they are what its memory goes with.
std::string identity_of(const std::filesystem::path& image, const char* xml) {
    std::vector<std::string> paths;
    for (const auto& file : disk_files(xml)) {
        if (file.writable) {
            paths.push_back(file.path);
        }
    }
    paths.push_back(image.string());
    return fingerprint(paths);
}

std::string time_stamp() {
    const auto now = std::time(nullptr);
    std::tm local{};
    char text[32] = "";
    if (localtime_r(&now, &local) != nullptr) {
        std::strftime(text, sizeof text, "%Y%m%dT%H%M%S", &local);
    }
    return text;
}

/// With errno set when false.
bool move_to(const std::filesystem::path& image, const std::filesystem::path& aside) {
    if (link(image.c_str(), aside.c_str()) == 0) {
        return true;
    }
    // A file system without hard links. Never over what has been set aside before.
    const bool other = errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK || errno == ENOSYS;
    std::error_code ignored;
    if (!other || std::filesystem::exists(aside, ignored)) {
        errno = other ? EEXIST : errno;
        return false;
    }
    return swap_for_empty(image, aside);
}

}  // namespace

bool swap_for_empty(const std::filesystem::path& image, const std::filesystem::path& aside) {
    if (std::rename(image.c_str(), aside.c_str()) != 0) {
        return false;
    }
    const int file = open(image.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        const int fault = errno;
        std::rename(aside.c_str(), image.c_str());
        errno = fault;
        return false;
    }
    close(file);
    return true;
}

std::optional<std::filesystem::path> image_path(const UriContext& context, virDomainPtr domain) {
    const auto& folder = context.space->folder();
    const char* name = virDomainGetName(domain);
    if (!folder || !context.is_local || name == nullptr) {
        return std::nullopt;
    }
    return *folder / (std::string{name} + ".save");
}

tl::expected<FoundImage, Fault> find_image(const UriContext& context, virDomainPtr domain) {
    FoundImage found;
    const auto path = image_path(context, domain);
    found.image.partial = path && is_partial(*path);
    if (found.image.partial) {
        return found;
    }
    found.definition.reset(virDomainManagedSaveGetXMLDesc(domain, 0));
    if (!found.definition) {
        const auto fault = last_fault();
        // A driver that has images and does not tell of them.
        if (!is_unsupported(fault) || virDomainHasManagedSaveImage(domain, 0) != 1) {
            return tl::unexpected{fault};
        }
    } else if (path) {
        found.image.identity = identity_of(*path, found.definition.get());
    }
    return found;
}

std::vector<std::string> image_differences(virDomainPtr domain, const char* definition) {
    const TextPtr now{virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE)};
    // What was found of the disks must not depend on it.
    return now ? definition_differences(definition, now.get()) : std::vector<std::string>{};
}

SetAside::SetAside(const UriContext& context, virDomainPtr domain) {
    if (virDomainHasManagedSaveImage(domain, 0) != 1) {
        return;
    }
    const auto known = image_path(context, domain);
    if (!known) {
        text_ = "the saved image was dropped: it is not known where libvirt keeps it";
        return;
    }
    image_ = *known;
    if (is_partial(image_)) {
        text_ = "the saved image was dropped: it was not whole";
        return;
    }
    const auto stamped = image_.string() + ".set-aside-" + time_stamp();
    for (int number = 1; number <= kNames; ++number) {
        const auto aside = number == 1 ? stamped : stamped + "-" + std::to_string(number);
        errno = 0;
        if (move_to(image_, aside)) {
            aside_ = aside;
            text_ = "the saved image was set aside as " + aside;
            return;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    failure_ = "the saved image could not be set aside, and is not dropped: " +
               std::generic_category().message(errno);
}

void SetAside::undo() {
    if (aside_.empty()) {
        text_.clear();  // it was to be dropped, and has not been
        return;
    }
    // Two names of one file: rename(2) would keep both.
    std::error_code fault;
    if (std::filesystem::equivalent(aside_, image_, fault)) {
        std::filesystem::remove(aside_, fault);
    } else {
        std::filesystem::rename(aside_, image_, fault);
    }
    if (!fault) {
        text_.clear();
        aside_.clear();
    }
}

}  // namespace guestd::libvirt
