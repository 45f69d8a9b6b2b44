// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Jobs on a guest: what somebody does to it that takes its time, and that a stop would cut off.
///
/// libvirt knows two kinds. A guest has at most one job of its own (save, migration, backup, …),
/// which its job statistics tell; and each of its disks may have a block job, which only a question
/// per disk tells. All of it goes through the guest's job lock: it may wait 30 s for a guest that
/// is stuck, and occupies an ordinary worker of libvirtd meanwhile.

#include <optional>
#include <tl/expected.hpp>

#include "libvirt/context.hpp"
#include "libvirt/errors.hpp"

namespace guestd::libvirt {

/// A fault where the driver knows no jobs, and for a guest that is off. Blocks.
tl::expected<GuestJob, Fault> find_job(UriContext& context, virDomainPtr domain);

/// Cancels every block job; the disks stay as they were before, as far as the job allows that. All
/// are tried; the last fault is told. Blocks until they are gone.
std::optional<Fault> abort_block_jobs(UriContext& context, virDomainPtr domain);

struct SaveProgress {
    Bytes done;     ///< of `total`: written, or found to be empty
    Bytes total;    ///< the guest's memory; zero until QEMU has counted it
    Bytes written;  ///< to the image
};
/// Of the save that is under way, whoever began it; empty when there is none. Blocks.
std::optional<SaveProgress> save_progress(virDomainPtr domain);

}  // namespace guestd::libvirt
