# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who takes guests down and brings them up: guestd, libvirt-guests.sh, and the floor.

Each has one turn at a time, and is not there in the turns of the others. `down` and `up` return
the seconds that a person waits for the command.
"""

import json

from bed import FLOOR

# What libvirt's workers serve by default: max_workers = 20. One request less on each connection than
# max_client_requests = 5, at which libvirtd stops reading it.
CONNECTIONS, REQUESTS = 5, 4
SCRIPT = "/usr/lib/libvirt/libvirt-guests.sh"


class Guestd:
    """Installed from its package. No readiness is waited for, and no host limit of its own: the
    others have neither."""

    STOP = {"shutdown": "shutdown 5min", "save": "save 10min"}

    def __init__(self, extra="", name="guestd"):
        self.extra = extra
        self.name = name
        self.memory = []

    def enter(self, bed, guests, way):
        uris = ", ".join(f'"{uri}"' for uri in guests.uris)
        bed.host.put_file("/etc/guestd/guestd.toml", f"""
[daemon]
uris = [{uris}]
[boot]
ready = "running"
max_parallel = 0
[shutdown]
stop = ["{self.STOP[way]}", "destroy"]
deadline = "30min"
{self.extra}""")
        bed.host.exec("guestd --check-config && systemctl restart guestd", check=True)

        def knows_all():
            rc, out = bed.host.exec("guestctl --json status 2>/dev/null")
            return rc == 0 and json.loads(out)["running"] == guests.count
        bed.until(knows_all, f"guestd knows {guests.count} running guests")

    def down(self, bed, guests, way):
        took = bed.timed("guestctl drain --yes --wait")
        self.memory.append(bed.memory())
        return took

    def up(self, bed, guests, way):
        return bed.timed("guestctl boot --wait")

    def leave(self, bed):
        bed.host.exec("systemctl stop guestd", check=True)


class Stock:
    """The distribution's own script, unmodified. Its defaults go one by one; `parallel` is the
    best that its settings offer: all guests at once (saves have no such setting)."""

    def __init__(self, parallel):
        self.parallel = parallel
        self.name = "stock-parallel" if parallel else "stock"

    def enter(self, bed, guests, way):
        settings = {"URIS": "'" + " ".join(guests.uris) + "'", "ON_BOOT": "start",
                    "ON_SHUTDOWN": "shutdown" if way == "shutdown" else "suspend",
                    "START_DELAY": 0, "SHUTDOWN_TIMEOUT": 3600,
                    "PARALLEL_SHUTDOWN": guests.count if self.parallel else 0}
        lines = "".join(f"{key}={value}\n" for key, value in settings.items())
        bed.host.put_file("/etc/default/libvirt-guests", lines)

    def down(self, bed, guests, way):
        return bed.timed(f"{SCRIPT} stop")

    def up(self, bed, guests, way):
        return bed.timed(f"{SCRIPT} start")

    def leave(self, bed):
        """What it remembers of guests that the others bring back."""
        bed.host.exec("rm -f /var/lib/libvirt/libvirt-guests", check=True)


class Floor:
    def __init__(self, connections=CONNECTIONS, requests=REQUESTS, name="floor"):
        self.shape = f"{connections} {requests}"
        self.name = name

    def enter(self, bed, guests, way):
        pass

    def down(self, bed, guests, way):
        return bed.timed(f"{FLOOR} {way} {self.shape} {' '.join(guests.quoted)}")

    def up(self, bed, guests, way):
        return bed.timed(f"{FLOOR} start {self.shape} {' '.join(guests.quoted)}")

    def leave(self, bed):
        pass
