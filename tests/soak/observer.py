# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who watches besides guestd: libvirt's own events, libvirt's own lists, the kernel's figures."""

import re
import subprocess
from collections import Counter
from pathlib import Path

EVENT = re.compile(r"event 'lifecycle' for domain '?([^':]+)'?: (\w+)")
SENTINEL = ("<domain type='test'><name>sentinel</name><memory>1024</memory>"
            "<os><type>hvm</type></os></domain>")


class Observer:
    """Counts the starts of each guest since `reset`, as libvirt tells them."""

    def __init__(self, world):
        self.world = world
        self.path = world.folder / "events"
        self.sentinel = world.folder / "sentinel.xml"
        self.sentinel.write_text(SENTINEL)
        self.process = None
        self.listen()

    def listen(self):
        """Anew, on the libvirtd that there is now."""
        if self.process:
            self.process.kill()
            self.process.wait()
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(
                ["stdbuf", "-oL", "virsh", "-c", self.world.uri, "event", "--loop", "--event",
                 "lifecycle"], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.world.processes.append(self.process)
        self.offset = 0
        self.reset()

    def _sentinels(self):
        return self.path.read_bytes().count(b"sentinel")

    def sync(self):
        """Until all that has happened so far is written down: libvirt keeps events in order."""
        before = self._sentinels()

        def seen():
            self.world.virsh(f"define {self.sentinel}", "undefine sentinel")
            return self._sentinels() > before
        self.world.eventually(seen, "libvirt's events")

    def reset(self):
        self.sync()
        self.offset = self.path.stat().st_size

    def started(self):
        """{guest: how often} since `reset`."""
        self.sync()
        text = self.path.read_bytes()[self.offset:].decode()
        return Counter(name for name, what in EVENT.findall(text) if what == "Started")


def running(world):
    return set(world.virsh("list --name").split())


def paused(world):
    return set(world.virsh("list --state-paused --name").split())


def transient(world):
    """Those that have no definition: libvirt saves none of them."""
    return set(world.virsh("list --transient --name").split())


def flagged(world):
    """Those that are flagged as autostart guests."""
    return set(world.virsh("list --all --name --autostart").split())


def defined(world):
    return set(world.virsh("list --all --name").split())


def figures(pid):
    """Resident memory in KiB, open files and threads of a process, as the kernel tells them."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"rss": int(status["VmRSS"].split()[0]), "fds": len(list(Path(f"/proc/{pid}/fd").iterdir())),
            "threads": int(status["Threads"])}
