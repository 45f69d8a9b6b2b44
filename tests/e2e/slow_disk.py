# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk of known speed for libvirt's saved images, without any device: see slow-lzop.c."""

import subprocess
import tempfile
from pathlib import Path

from hosts.fleet import IMAGES

SOURCE = Path(__file__).with_name("slow-lzop.c")


def install(host, bytes_per_second):
    """From now on all saves of the host, which is up, share this speed."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "lzop"
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-Wall", "-Werror", "-o", program,
                        SOURCE], check=True)
        host.put_file("/usr/local/bin/lzop", program.read_bytes(), mode=0o755)
    set_speed(host, bytes_per_second)
    host.exec("echo 'save_image_format = \"lzop\"' >>/etc/libvirt/qemu.conf && "
              "systemctl restart libvirtd", check=True)


def set_speed(host, bytes_per_second):
    """For saves that begin from now on."""
    host.put_file("/etc/slow-disk", str(round(bytes_per_second)))


def images(host):
    """{guest: bytes} of the saved images, whole or not."""
    lines = host.out(f"find {IMAGES} -name '*.save' -printf '%f %s\\n'").splitlines()
    return {name.removesuffix(".save"): int(size) for name, size in map(str.split, lines)}
