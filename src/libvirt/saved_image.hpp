// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// A guest's managed save image: the file that a restore starts from.
///
/// libvirt keeps it as NAME.save in the folder of its QEMU driver. Where that folder is known and
/// on this host the file itself is looked at; elsewhere only what libvirt tells of it.

#include <filesystem>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libvirt/context.hpp"
#include "libvirt/errors.hpp"
#include "libvirt/handles.hpp"

namespace guestd::libvirt {

/// Where the guest's image is, or would be; empty where nobody knows. No call to libvirtd.
std::optional<std::filesystem::path> image_path(const UriContext& context, virDomainPtr domain);

/// What lies there, and the definition that it has in it: null when the image is partial, or the
/// driver does not tell.
struct FoundImage {
    SavedImage image;
    TextPtr definition;
};

/// Without the differences: who has just saved the guest does not ask for them. A fault where
/// there is no image, or libvirt cannot be asked. Blocks for as long as libvirt and the file
/// systems do.
tl::expected<FoundImage, Fault> find_image(const UriContext& context, virDomainPtr domain);

/// Where the guest's definition says something else than the image's. Blocks for as long as
/// libvirt does.
std::vector<std::string> image_differences(virDomainPtr domain, const char* definition);

/// A guest's image, out of the way of a boot that must not use it: where libvirt does not look, so
/// that what libvirt drops is only the name.
class SetAside {
public:
    /// To NAME.save.set-aside-YYYYMMDDTHHMMSS, of the host's local time. Until libvirt has dropped
    /// its own name for it, the image has both. Blocks for as long as libvirt and file systems do.
    SetAside(const UriContext& context, virDomainPtr domain);
    /// The start was refused before libvirt dropped the image: as if nothing had been done. Blocks
    /// likewise.
    void undo();
    /// What came of it, in words for people; "" when there was no image.
    const std::string& text() const { return text_; }
    /// Why a boot would lose it; "" = it would not, or it is worth nothing.
    const std::string& failure() const { return failure_; }

private:
    std::filesystem::path image_;
    std::filesystem::path aside_;  ///< empty = it is not set aside
    std::string text_;
    std::string failure_;
};

/// For a file system without hard links: the image under another name, and an empty file for
/// libvirt to drop under its own. False with errno set when all is as it was.
bool swap_for_empty(const std::filesystem::path& image, const std::filesystem::path& aside);

}  // namespace guestd::libvirt
