# SPDX-License-Identifier: LGPL-2.1-or-later
"""Test guests: one boot sector, patched per guest, and the libvirt domain around it.

A guest is data (`Guest`); this module turns it into a disk image and domain XML and never
talks to libvirt. The trace file that belongs to a guest is described in acpi.s.
"""

import re
import struct
import subprocess
import tempfile
import uuid as uuids
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

TICKS_PER_SECOND = 18.2  # the BIOS timer
MAX_SECONDS = 3000  # the guest counts ticks in 16 bits
PATCH_OFFSET = 502  # fill, late, delay, flags: four words at the end of acpi.s
DEAF, READS = 1, 16  # bits of flags; see also ONCE_UP
TRACK = 63 * 512  # what it reads of its disk, again and again
ONCE_UP = {"": 0, "panic": 2, "write": 4, "sleep": 8}
NAMESPACE = uuids.UUID("6f5a3c1e-51f0-4b0c-9f0e-7f4d6a5b2c10")

PLAIN = re.compile(r"[\w.-]{1,100}", re.ASCII)

_sector = None


@dataclass(frozen=True)
class Guest:
    """One guest. Times are seconds of the guest's own clock."""

    name: str
    memory_mib: int = 16
    delay: float = 0  # from being asked to going down
    late: float = 0  # from power on to noticing the power button: a booting OS
    reads: bool = False  # its disk, more than 1 MiB/s, for as long as it is `late`
    deaf: bool = False  # traces that it was asked, and never goes down
    # "panic" (QEMU notices with a <panic model='isa'/>), "write" to the disk's sector 62, or
    # "sleep" (S3, from which it wakes as if booted)
    once_up: str = ""
    dirty_mib: int = 0  # memory that it fills before it is up; at most memory_mib - 2
    acpi: bool = True  # without, there is no power button
    on_poweroff: str = "destroy"
    on_crash: str = "destroy"
    disk: str = ""  # the whole <disk>, instead of a raw image
    boot: str = "<boot dev='hd'/>"  # children of <os>
    trace_device: str = "isa-debugcon,iobase=0xe9"  # the QEMU device that the guest writes its to
    autostart: bool = False
    persistent: bool = True
    extra_xml: str = field(default="", compare=False)  # children of <domain>
    extra_devices: str = field(default="", compare=False)  # children of <devices>

    @property
    def uuid(self):
        """The same name has the same UUID in every test."""
        return str(uuids.uuid5(NAMESPACE, self.name))

    @property
    def file(self):
        """What its files are called: its name, unless that has more than letters and digits."""
        return self.name if PLAIN.fullmatch(self.name) else self.uuid


def boot_sector():
    """The unpatched boot sector; assembled once per process."""
    global _sector
    if _sector is None:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "acpi.bin"
            subprocess.run([Path(__file__).parent / "build", output], check=True)
            _sector = output.read_bytes()
    return _sector


def disk_image(guest):
    """The bytes of the guest's raw disk."""
    if max(guest.delay, guest.late) > MAX_SECONDS:
        raise ValueError(f"{guest.name}: at most {MAX_SECONDS} s")
    if guest.dirty_mib > guest.memory_mib - 2:
        raise ValueError(f"{guest.name}: the first MiB is its own, the last the BIOS's")
    image = bytearray(boot_sector())
    words = (guest.dirty_mib, round(guest.late * TICKS_PER_SECOND),
             round(guest.delay * TICKS_PER_SECOND),
             guest.deaf * DEAF | guest.reads * READS | ONCE_UP[guest.once_up])
    struct.pack_into("<4H", image, PATCH_OFFSET, *words)
    if guest.reads:
        image.extend(bytes(TRACK - len(image)))
    return bytes(image)


def raw_disk(path):
    return f"""<disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{escape(path)}'/>
      <target dev='hda' bus='ide'/>
    </disk>"""


def domain_xml(guest, disk, trace):
    """The domain, for a host where `disk` and `trace` are the paths of the guest's files."""
    return f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{escape(guest.name)}</name>
  <uuid>{guest.uuid}</uuid>
  <memory unit='MiB'>{guest.memory_mib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>{guest.boot}</os>
  <features>{"<acpi/>" if guest.acpi else ""}</features>
  <on_poweroff>{guest.on_poweroff}</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>{guest.on_crash}</on_crash>
  {guest.extra_xml}
  <devices>
    {guest.disk or raw_disk(disk)}
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    {guest.extra_devices}
  </devices>
  <qemu:commandline>
    <qemu:arg value='-chardev'/>
    <qemu:arg value='file,id=trace,path={escape(trace)},append=on'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='{guest.trace_device},chardev=trace'/>
  </qemu:commandline>
</domain>
"""
