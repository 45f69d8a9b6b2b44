# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest of the resume list is gone at boot: the others must still be stopped properly later.

Six guests run when the host reboots; one of them is undefined as it comes up again. libvirt-guests
then brings back five, and its unit is failed, so that systemd does not run its stop at the next
poweroff: nobody asks the five, and all are killed.
"""

from support import Fleet, expect

KINDS = ("machine",)
MANAGERS = ("stock", "guestd")
TIMEOUT = 900


def run(context):
    host = context.managed_host()
    fleet = Fleet.of(host, 5).define().start()
    Fleet.of(host, 1, prefix="gone").define().start()
    # libvirtd is not told, so that it still lists the guest when the host goes down.
    host.exec("rm /etc/libvirt/qemu/gone1.xml && sync", check=True)

    host.reboot()
    fleet.wait_traces("UADU", timeout=120)
    expect(fleet.running() == fleet.names, f"brought back only {fleet.running()}")
    state = host.exec(f"systemctl is-failed {context.manager.unit}").out.strip()
    host.poweroff()

    if context.manager.name == "stock":
        expect(state == "failed" and fleet.unasked() == fleet.names,
               f"libvirt-guests ({state}) no longer loses its guests here: {fleet.traces()}; "
               "if libvirt has fixed it, say so in the comparison and expect it here")
    else:
        expect(fleet.obeyed() == fleet.names, f"not all guests obeyed: {fleet.traces()}")
