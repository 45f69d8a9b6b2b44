# SPDX-License-Identifier: LGPL-2.1-or-later
"""The disk of the state folder is full, then the host is switched off: the guests are stopped all the
same, it is said loudly, and they come back, because libvirt itself was made to remember them."""

from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)
STATE = "/var/lib/guestd"


def run(context):
    host = context.managed_host()
    # A file system of its own, which is gone at the next boot with all that is in it.
    host.exec(f"systemctl stop guestd && mount -t tmpfs -o size=1m state {STATE} && systemctl start guestd "
              "&& guestctl wait", check=True)
    fleet = Fleet.of(host, 3).define().start()
    other = Fleet.of(host, 1, prefix="off").define()
    host.exec(f"head -c 2M </dev/zero >{STATE}/filled; "
              f"df {STATE}")
    host.poweroff()
    expect(fleet.obeyed() == fleet.names, f"not all guests obeyed: {fleet.traces()}")
    said = host.journal("-u", "guestd")
    expect("the resume list could not be saved" in said, f"nobody said so: {said[-2000:]}")

    host.boot()
    expect(host.exec("guestctl wait", timeout=60).rc == 0, "the boot run was not clean")
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    expect(not other.running(), "a guest that did not run was started")
    host.exec("timeout 10 bash -c 'while virsh dumpxml --inactive vm1 | grep -q guestd:resume; "
              "do sleep 0.1; done'", check=True)
