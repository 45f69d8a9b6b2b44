# SPDX-License-Identifier: LGPL-2.1-or-later
"""guestd gets no processor for some seconds (SIGSTOP) while saves are under way, on a disk that is
fast enough for all of them: it makes nothing of what it did not see, and aborts no save."""

import slow_disk
from hosts.fleet import IMAGES
from support import Fleet, configure, expect, newest_run, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

MIB = 1 << 20
SPEED = 24 * MIB  # eleven seconds for all
CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["save 40s", "destroy"]
"""
# From the first 2 MiB of the second guest's image to its 40th.
STALL = f"""cd {IMAGES}
size() {{ stat -c %s vm2.save 2>/dev/null || echo 0; }}
pid=$(systemctl show -P MainPID guestd)
until [ "$(size)" -gt 2000000 ]; do sleep 0.02; done
kill -STOP $pid
until [ "$(size)" -gt 40000000 ]; do sleep 0.02; done
kill -CONT $pid"""


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    slow_disk.install(host, SPEED)
    sizes = [(160, 128)] + [(64, 48)] * 3
    fleet = Fleet(host, [Guest(f"vm{number + 1}", memory_mib=memory, dirty_mib=dirty)
                         for number, (memory, dirty) in enumerate(sizes)]).define().start()
    draining = host.spawn("guestctl drain --yes --wait")
    host.exec(f"timeout 50 bash -c '{STALL}'", check=True)
    draining.wait(60)
    expect(outcomes(host, "drain") == dict.fromkeys(fleet.names, "saved"),
           f"outcomes: {newest_run(host, 'drain')}")
