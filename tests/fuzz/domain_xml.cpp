// SPDX-License-Identifier: LGPL-2.1-or-later
// Domain XML, two of them with a NUL between: what libvirt hands out was written by users.
#include "libvirt/domain_xml.hpp"

#include "fuzz.hpp"
#include "libvirt/definition_diff.hpp"
#include "libvirt/disk_files.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto [left, right] = fuzz::halves(fuzz::text_of(data, size), '\0');
    libvirt::parse_domain_xml(left.c_str());
    for (const auto& disk : libvirt::disk_files(left.c_str()))
        fuzz::require(!disk.path.empty(), "a file has a path");
    const auto there = libvirt::definition_differences(left.c_str(), right.c_str());
    const auto back = libvirt::definition_differences(right.c_str(), left.c_str());
    fuzz::require(there.size() == back.size() && there.size() <= 11,
                  "the same seen from both sides");
    fuzz::require(libvirt::definition_differences(left.c_str(), left.c_str()).empty(),
                  "nothing differs from itself");
    return 0;
}
