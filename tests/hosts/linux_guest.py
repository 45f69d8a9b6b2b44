# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest with an operating system and a real qemu-guest-agent: Debian's kernel, and an initramfs
that is nothing but busybox, the agent and what guests/linux-init does with them."""

import tempfile
from pathlib import Path

from . import roots

GUESTS = Path(__file__).resolve().parents[1] / "guests"
PACKAGES = ("busybox-static", "qemu-guest-agent")
FOLDER = "/var/lib/guestd-test/linux"
CHANNEL = """<controller type='virtio-serial'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"""


def build(suite):
    """The folder with the cached `vmlinuz` and `initrd`; seconds when they have to be built."""
    base = roots.build_base(suite)
    parts = [GUESTS / "linux-init", GUESTS / "linux-build"]
    name = f"linux-{suite}-{roots.hash_of(base.name, *PACKAGES, *parts)}"
    with roots.building(name) as folder, tempfile.TemporaryDirectory(dir=roots.cache()) as scratch:
        if folder:
            log, scratch = roots.Log(name), Path(scratch)
            with roots.overlay([base], scratch / "upper", scratch / "work",
                               scratch / "root") as root:
                roots.install(log, root, PACKAGES)
                log.run("cp", *map(str, parts), str(root / "tmp"))
                roots.chroot(log, root, "/tmp/linux-build", "/tmp/linux-init", "/tmp/out")
                log.run("cp", "-r", str(root / "tmp/out"), str(folder))
    return roots.cache() / name


def install(host):
    """Gives a host, which is up, what its Linux guests boot."""
    folder = build(host.suite)
    host.put_files({f"{FOLDER}/{name}": (folder / name).read_bytes()
                    for name in ("vmlinuz", "initrd")})


def options(agent="", network="", **arguments):
    """What makes a Guest a Linux guest, with an interface in this libvirt network.

    `agent` and the other arguments (net, listen, late): see guests/linux-init.
    """
    interface = f"""<interface type='network'><source network='{network}'/>
      <model type='virtio'/></interface>"""
    words = {"agent": agent, "late": 0, **arguments}
    return {"memory_mib": 128, "trace_device": "isa-serial",
            "extra_devices": ("" if agent == "none" else CHANNEL) + (interface if network else ""),
            "boot": f"<kernel>{FOLDER}/vmlinuz</kernel><initrd>{FOLDER}/initrd</initrd>"
                    "<cmdline>quiet panic=-1 "
                    + " ".join(f"{key}={value}" for key, value in words.items()) + "</cmdline>"}
