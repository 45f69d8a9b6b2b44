# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host as an emulated machine: QEMU without KVM, Debian's cloud kernel, an ext4 disk.

The representative kind: cgroups with all controllers, machine scopes, real power cuts. A reboot
ends the QEMU process and starts a new one on the same disk; nothing of the memory survives.
"""

import os
import socket
import subprocess

from .host import Host
from .image import Disk, build_image, kernel_of

COMMAND_PORT = 4711  # guestd-test-exec.socket
MEMORY_MIB = 2560

# What QEMU 7.2's emulation gets wrong often enough to panic a Debian kernel once in a few boots:
# - with several virtual CPUs, one runs code that another has just patched (static keys);
# - cmpxchg16b leaves garbage in EFLAGS, and an interrupt before the next flag is a double fault:
#   the kernel does not use it then, programs may;
# - svm: emulated hardware virtualization, which libvirt probes, and which patches code as it goes.
# The plain model also spares the boot a dozen kernel modules for crypto instructions.
CPU = "qemu64,svm=off,rdrand=on"
CPUS = 1
WORKAROUNDS = "clearcpuid=cx16"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MachineHost(Host):
    kind = "machine"
    boot_timeout = 300
    down_timeout = 300
    patience = 5

    @classmethod
    def prepare(cls, suite, extras=()):
        layers = super().prepare(suite, extras)
        build_image(suite, layers)
        return layers

    def _create(self):
        self._disk = Disk(build_image(self.suite, self.layers), self.folder)
        self._kernel, self._initrd = kernel_of(self.layers)
        self._port = None

    def _start(self, kernel_args):
        self._port = free_port()
        self._disk.dirty = True
        arguments = " ".join([WORKAROUNDS, "console=ttyS0", "root=/dev/vda", "rw", "panic=-1", "loglevel=4",
                              "net.ifnames=0", "mitigations=off", "systemd.show_status=yes",
                              "SYSTEMD_COLORS=0", *kernel_args])
        # The host dies with the test, however that ends. cache=unsafe spares the outer disk:
        # SIGKILL loses what the inner kernel holds, and that is the power cut.
        command = ["setpriv", "--pdeathsig=KILL", "qemu-system-x86_64",
                   "-machine", "q35,sata=off", "-accel", "tcg", "-cpu", CPU,
                   "-smp", str(CPUS), "-m", str(MEMORY_MIB), "-no-reboot",
                   "-nodefaults", "-display", "none", "-serial", "stdio",
                   "-kernel", self._kernel, "-initrd", self._initrd, "-append", arguments,
                   "-drive", f"file={self._disk.path},format={self._disk.format},if=virtio,"
                             "cache=unsafe,discard=unmap",
                   "-netdev", "user,id=net,restrict=on,"
                              f"hostfwd=tcp:127.0.0.1:{self._port}-:{COMMAND_PORT}",
                   "-device", "virtio-net-pci,netdev=net,romfile="]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True,
                                env={"PATH": os.environ["PATH"]})

    def _connect(self):
        return socket.create_connection(("127.0.0.1", self._port), timeout=30)

    def _read_offline(self, path):
        return self._disk.read(path)

    def _write_offline(self, path, data, mode):
        self._disk.write(path, data, mode)

    def _export_journal(self, folder):
        self._disk.export("/var/log/journal", folder)

    def _destroy(self):
        pass  # all of it is in the folder
