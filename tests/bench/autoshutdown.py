# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt 11.3's own auto_shutdown_* against guestd on Debian 13: from poweroff to the end.

A fresh host for each sample, so that nothing of the last shutdown is in the way. Both begin when
logind announces the shutdown. The floor is the two ends put together: the same calls issued all at
once, and then the poweroff of a host whose guests are down.
"""

import statistics

from bed import Bed, BenchError, wait_quiet
from fleets import QemuGuests
from hosts.fleet import IMAGES
from managers import Floor, Guestd
from report import Result

GUESTS = 30
# An image's head: the magic of a whole one, and three numbers before that of the format.
COMPLETE = b"LibvirtQemudSave"
FORMAT_AT, HEAD = 28, 32
FORMATS = {None: 0, "sparse": 6}
LIBVIRT = {
    "shutdown": 'auto_shutdown_try_save = "none"\nauto_shutdown_try_shutdown = "all"\n'
                'auto_shutdown_poweroff = "all"\nauto_shutdown_wait = 300\n',
    "save": 'auto_shutdown_try_save = "persistent"\nauto_shutdown_try_shutdown = "none"\n'
            'auto_shutdown_poweroff = "all"\n',
}


def saved(guests, image_format):
    """How many whole images of the format there are on a host that is down."""
    count = 0
    for name in guests.fleet.names:
        try:
            head = guests.bed.host.read_file(f"{IMAGES}/{name}.save")[:HEAD]
        except FileNotFoundError:
            continue
        written = int.from_bytes(head[FORMAT_AT:HEAD], "little")
        count += head.startswith(COMPLETE) and written == FORMATS[image_format]
    return count


def set_up(bed, way, manager, image_format):
    """Before the first guest: what libvirt reads when it starts, and nobody who helps others."""
    settings = LIBVIRT[way] if manager == "libvirt" else ""
    if image_format:
        settings += f'save_image_format = "{image_format}"\n'
    if manager != "guestd":
        # The latter would finish what libvirt has not done when its time is over.
        bed.host.exec("systemctl disable --now guestd && systemctl mask --now guestd-finish",
                      check=True)
    if manager == "floor":  # as guestd-workers.service has it for guestd
        bed.host.exec("echo 'min_workers = 20' >>/etc/libvirt/libvirtd.conf", check=True)
    bed.host.exec("cat >>/etc/libvirt/qemu.conf && systemctl restart libvirtd",
                  stdin=settings.encode(), check=True)


def sample(packages, count, way, manager, image_format):
    """(seconds from poweroff to the end, how busy the machine was before)"""
    with Bed(packages, "trixie") as bed:
        set_up(bed, way, manager, image_format)
        guests = QemuGuests(bed, count)
        if manager == "guestd":
            Guestd().enter(bed, guests, way)
        busy = wait_quiet()
        before = Floor().down(bed, guests, way) if manager == "floor" else 0
        took = before + bed.host.poweroff(timeout=600)
        whole = saved(guests, image_format) if way == "save" else len(guests.fleet.obeyed())
        if whole != count:
            raise BenchError(f"{manager}: {whole} of {count} guests had their {way}")
        return took, busy


def measure(packages, way, runs, count=GUESTS, image_format=None):
    """`image_format`: of saved images, for everybody; None = libvirt's default."""
    samples, busy = {"guestd": [], "libvirt": [], "floor": []}, []
    for number in range(runs):
        for manager in sorted(samples, reverse=bool(number % 2)):
            took, others = sample(packages, count, way, manager, image_format)
            samples[manager].append(took)
            busy.append(others)
    name = f"auto-shutdown-{way}" + (f"-{image_format}" if image_format else "")
    return Result(name, count, samples, {}, statistics.median(busy))
