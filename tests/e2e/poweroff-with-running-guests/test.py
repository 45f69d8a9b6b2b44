# SPDX-License-Identifier: LGPL-2.1-or-later
"""Five guests run, the host is switched off: every one of them is asked and obeys.

In a container libvirtd stops at once, because nothing holds it: no machine scopes are there, and
libvirt-guests is ordered after libvirtd's sockets only. libvirt-guests then finds nobody to ask.
"""

from support import Fleet, expect

KINDS = ("container",)  # on a machine, whose scopes hold libvirtd, both tools do it right
MANAGERS = ("stock", "guestd")


def run(context):
    host = context.managed_host()
    fleet = Fleet.of(host, 5).define().start()
    host.poweroff()
    if context.manager.name == "stock" and context.kind == "container":
        expect(fleet.unasked() == fleet.names,
               f"libvirt-guests no longer loses its guests here: {fleet.traces()}; "
               "if libvirt has fixed it, say so in the comparison and expect it here")
        expect("Can't connect" in host.journal("-u", context.manager.unit),
               "libvirt-guests lost its guests for another reason than a stopped libvirtd")
    else:
        expect(fleet.obeyed() == fleet.names, f"not all guests obeyed: {fleet.traces()}")
