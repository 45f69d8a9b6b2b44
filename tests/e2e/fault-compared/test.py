# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt-guests and guestd on the same faults: a list of an earlier stop is still there, and a
guest of the list is gone when the host comes up, and libvirtd is frozen when the host is switched
off.

libvirt-guests gets what it needs to work in a container at all, an order after libvirtd.service.
It then asks nobody while its list file is there ("last stop was not followed by start"), nobody
after a boot that could not bring one guest back, and with a frozen libvirtd it holds the host for
ever: its unit has no time limit.
"""

import time

from support import Fleet, configure, expect

KINDS = ("container",)
MANAGERS = ("stock", "guestd")

AFTER = "[Unit]\nAfter=libvirtd.service\n"
SECONDS = 10  # for guests to obey, with either tool
CONFIG = f"""
[boot]
ready = "running"
[shutdown]
stop = ["shutdown {SECONDS // 2}s", "destroy"]
deadline = "{SECONDS}s"
"""
HANGS = 60
# By hand, as before work on the host.
STOP = {"stock": "/usr/lib/libvirt/libvirt-guests.sh stop", "guestd": "guestctl drain --yes --wait"}


def prepare(context):
    host = context.host()
    if context.manager.name == "stock":
        host.put_file(f"/etc/systemd/system/{context.manager.unit}.d/order.conf", AFTER)
    host.boot()
    context.manager.install(host)
    if context.manager.name == "stock":
        host.exec(f"sed -i s/SHUTDOWN_TIMEOUT=.*/SHUTDOWN_TIMEOUT={SECONDS}/ "
                  "/etc/default/libvirt-guests", check=True)
    else:
        configure(host, CONFIG)
    return host


def judge(context, fleet, what):
    """The host is off."""
    asked = sorted(set(fleet.names) - set(fleet.unasked()))
    print(f"{context.manager.name}: {what}: {len(asked)} of {len(fleet.names)} asked at poweroff")
    if context.manager.name == "stock":
        expect(not asked, f"libvirt-guests no longer loses its guests here: {asked}; if libvirt has "
               "fixed it, say so in docs/reliability.md and expect it here")
    else:
        expect(fleet.obeyed() == fleet.names, f"not all obeyed: {fleet.traces()}")


def list_of_an_earlier_stop(context, host, fleet):
    """Stopped by the tool and started by hand; then the host is switched off, and comes back."""
    host.exec(STOP[context.manager.name], timeout=60, check=True)
    expect(fleet.obeyed() == fleet.names, f"stopped by hand: {fleet.traces()}")
    fleet.start()
    host.poweroff()
    judge(context, fleet, "a list of an earlier stop")
    before = fleet.traces()
    host.boot()
    fleet.wait_up(before)


def one_of_the_list_is_gone(context, host, fleet):
    host.exec("rm /etc/libvirt/qemu/gone1.xml", check=True)  # libvirtd is not told
    before = fleet.traces()
    host.reboot()
    fleet.wait_up({name: trace + "AD" for name, trace in before.items()})
    expect(fleet.running() == fleet.names, f"brought back only {fleet.running()}")
    host.poweroff()
    judge(context, fleet, "one of the list gone")


def frozen(context, host, fleet):
    host.boot()
    host.exec("guestctl wait || virsh start vm1; virsh start vm2; virsh start vm3", timeout=60)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    host.exec("systemctl kill --kill-whom=main -s STOP libvirtd", check=True)
    begun = time.monotonic()
    host.request("poweroff")
    if context.manager.name == "guestd":
        host.wait_down()
        said = host.journal("-u", "guestd", "-b", "-o", "cat")
        expect("timed out" not in said, f"systemd had to kill it: {said[-2000:]}")
        print(f"guestd: libvirtd frozen: off after {time.monotonic() - begun:.1f} s")
        return
    ended = host.console.wait_for("reboot: Power down|Sending SIGTERM to remaining", HANGS,
                                  since=host.console.mark())
    expect(not ended and host.is_up, "libvirt-guests no longer hangs here: say so in "
           "docs/reliability.md, and expect it here")
    print(f"stock: libvirtd frozen: still up after {HANGS} s, with SHUTDOWN_TIMEOUT={SECONDS}")


def run(context):
    host = prepare(context)
    fleet = Fleet.of(host, 3).define().start()
    list_of_an_earlier_stop(context, host, fleet)
    Fleet.of(host, 1, prefix="gone").define().start()
    one_of_the_list_is_gone(context, host, fleet)
    frozen(context, host, fleet)
