// SPDX-License-Identifier: LGPL-2.1-or-later
// /var/lib/libvirt/libvirt-guests, as a shell script left it.
#include "ctl/import_notes.hpp"
#include "fuzz.hpp"
#include "guestd/types.hpp"

using namespace guestd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const auto& guest : ctl::parse_list(std::string{fuzz::text_of(data, size)})) {
        const auto uuid = Uuid::parse(guest.uuid);
        fuzz::require(uuid && uuid->str() == guest.uuid, "only UUIDs, in one spelling");
        fuzz::require(!guest.uri.empty(), "each on a URI");
    }
    return 0;
}
