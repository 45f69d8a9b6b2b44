# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator gains by raising libvirtd's max_workers and max_client_requests.

Saves and restores occupy one of libvirtd's 20 workers each for as long as they take. Where they
burn the host's cores or fill its disk, more of them at once are no faster. Where they wait for
something else, here for storage that answers late, they are: `limits-N` measures both, with the
default limits and with raised ones.
"""

import statistics

from bed import Bed
from cycles import rounds
from fleets import QemuGuests
from managers import Floor, Guestd
from report import Result

RAISED = 100  # workers, and requests per connection
# libvirt pipes an image through this program: a disk that takes its time before the first byte.
WAIT = 3  # seconds
LATE_STORAGE = f"#!/bin/sh\nsleep {WAIT}\nexec cat\n"
CASES = {"": "", "-late-storage": 'save_image_format = "lzop"\n'}


def set_limits(bed, raised):
    # All from the start: libvirtd adds none while requests wait (docs/performance.md).
    limits = "".join(f"{what} = {RAISED}\n" for what in
                     ("min_workers", "max_workers", "max_client_requests")) if raised else ""
    bed.host.put_file("/etc/libvirt/libvirtd.conf", limits)
    bed.host.put_file("/etc/guestd/guestd.toml.d/limits.toml",
                      f"[daemon]\nmax_workers = {RAISED if raised else 20}\n")
    bed.host.exec("systemctl restart libvirtd && virsh -q list >/dev/null", check=True)


def measure(packages, name, count, runs):
    """Yields a result for save and one for restore, for each kind of storage."""
    with Bed(packages) as bed:
        bed.host.put_file("/usr/local/bin/lzop", LATE_STORAGE, mode=0o755)
        guests = QemuGuests(bed, count)
        for case, qemu_conf in CASES.items():
            bed.host.put_file("/etc/libvirt/qemu.conf", qemu_conf)
            halves, bed.busy = ({}, {}), []
            for raised in (False, True):
                set_limits(bed, raised)
                suffix = "-raised" if raised else ""
                floor = Floor(4, RAISED // 4, "floor-raised") if raised else Floor()
                who = [Guestd(name="guestd" + suffix), floor]
                for half, samples in zip(halves, rounds(bed, guests, "save", runs, who=who)):
                    half.update(samples)
            for verb, samples in zip(("save", "restore"), halves):
                yield Result(f"{name}-{verb}{case}", count, samples, {},
                             statistics.median(bed.busy))
