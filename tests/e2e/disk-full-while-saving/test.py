# SPDX-License-Identifier: LGPL-2.1-or-later
"""The disk of the saved images fills up in the middle of a save, by another file that grows.

The guest whose save fails goes on with its next step: it is asked, and obeys; deaf, it is
destroyed. No part of its image is left. Nobody else is affected: what was saved before is whole,
and who is shut down notices nothing. Once there is space again, everybody comes back.
"""

import slow_disk
from hosts.fleet import IMAGES
from support import Fleet, configure, expect, newest_run, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

MIB = 1 << 20
SPEED = 24 * MIB  # the two large guests take four seconds
CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["save 1min", "shutdown 2s", "destroy"]
[[guest]]
name = "asked"
shutdown.stop = ["shutdown 1min", "destroy"]
"""
SMALL_DISK = f"mount -t tmpfs -o size=256m,mode=700 images {IMAGES}"
# When the small guest is down and both others are under way. Most of the file is there at once;
# it takes the space as well that a save gives back when it fails, or the other one would fit.
DRAIN_AND_FILL = f"""cd {IMAGES}
guestctl drain --yes --wait >/run/drain.log 2>&1 & draining=$!
size() {{ stat -c %s "$1" 2>/dev/null || echo 0; }}
until [ "$(virsh domstate small)" = "shut off" ] &&
    [ "$(size large.save)" -ge 4194304 ] && [ "$(size largedeaf.save)" -ge 4194304 ] ||
    ! kill -0 $draining; do
    sleep 0.02
done
fallocate -l 184M somebody.log
while kill -0 $draining; do
    LC_ALL=C head -c 1G /dev/zero >>somebody.log
    sleep 0.02
done 2>&1 | sort -u"""


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    host.exec(SMALL_DISK, check=True)
    slow_disk.install(host, SPEED)
    fleet = Fleet(host, [Guest("large", memory_mib=64, dirty_mib=48),
                         Guest("largedeaf", memory_mib=64, dirty_mib=48, deaf=True),
                         Guest("small"), Guest("asked", delay=1)]).define().start()

    filled = host.exec(DRAIN_AND_FILL, timeout=120).out
    expect("No space left" in filled, f"the test could not fill the disk in time: {filled}")
    _, guests = newest_run(host, "drain")
    expect(outcomes(host, "drain") == {"large": "shut-down", "largedeaf": "destroyed",
                                       "small": "saved", "asked": "shut-down"},
           f"outcomes: {guests}")
    for name in ("large", "largedeaf"):
        expect("save: " in guests[name]["cause"], f"the cause does not say why: {guests[name]}")
    traces = fleet.traces()
    expect(traces["large"] == traces["asked"] == "UAD" and traces["small"] == "U"
           and set(traces["largedeaf"][1:]) == {"A"}, f"traces: {traces}")
    left = host.out(f"ls {IMAGES}").split()
    if left != ["small.save", "somebody.log"]:
        raise AssertionError(
            f"in the folder of the images: {left}\n{guests}\n" +
            host.out(f"cd {IMAGES}; ls -l --full-time; head -c 16 large*.save; echo; "
                     "journalctl --unit libvirtd --no-pager --lines 20"))

    host.exec(f"rm {IMAGES}/somebody.log && guestctl boot --wait", timeout=60,
              check=True)
    expect(outcomes(host, "boot") == {"large": "started", "largedeaf": "started",
                                      "small": "restored", "asked": "started"},
           f"after it: {newest_run(host, 'boot')}")
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
