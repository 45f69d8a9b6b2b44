# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who starts libvirt's autostart guests: guestd, libvirt after `give`, guestd again after `take`.

Each time the host boots in between, and every guest starts exactly once; who did it is seen by what
guestd was asked to throttle: alone it starts one at a time. Others who would start or stop the same
guests are named, with what to do about them.
"""

import observe
from support import Fleet, expect, outcomes

KINDS = ("container",)
MANAGERS = ("guestd",)

COUNT = 4
READY = 1.0  # seconds, by CONFIG
CONFIG = """
[boot]
ready = "delay:1s"
max_parallel = 1
"""


def boot(host, fleet, traces):
    """Boots with the flag alone; returns whether the guests came one by one."""
    # Whom a drain takes down comes back in any case: these are stopped by hand.
    host.exec("for vm in $(virsh list --name); do virsh shutdown $vm; done; "
              "timeout 20 bash -c 'while [ \"$(virsh list --name)\" ]; do sleep 0.1; done'",
              check=True)
    host.poweroff()
    host.boot(wait="channel")
    host.exec("timeout 60 bash -c 'until guestctl status >/dev/null 2>&1; do sleep 0.05; done'; "
              "guestctl wait", timeout=90, check=True)
    fleet.wait_traces(traces)
    up = sorted(observe.traced(fleet).values())
    return all(later - earlier >= READY - 0.2 for earlier, later in zip(up, up[1:]))


def status(host):
    return host.exec("guestctl autostart status").out


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    fleet = Fleet.of(host, COUNT, autostart=True).define()
    expect("guestd" in status(host), status(host))
    expect(boot(host, fleet, "U"), "guestd did not start them one by one")
    expect(set(outcomes(host, "boot").values()) == {"started"}, f"{outcomes(host, 'boot')}")

    host.exec("guestctl autostart give", check=True)
    expect("libvirt" in status(host), status(host))
    expect(not boot(host, fleet, "UADU"), "libvirt should have started them all at once")
    expect(not outcomes(host, "boot"), f"guestd took part: {outcomes(host, 'boot')}")

    host.exec("guestctl autostart take", check=True)
    expect(boot(host, fleet, "UADUADU"), "guestd did not start them one by one again")

    host.exec("systemctl enable -q libvirt-guests; "
              "echo 'auto_shutdown_try_save = \"persistent\"' >>/etc/libvirt/qemu.conf", check=True)
    told = status(host)
    for word in ("libvirt-guests", "auto_shutdown_try_save"):
        expect(word in told, f"no word of {word}: {told}")
    host.exec("systemctl restart guestd", check=True)
    told = host.out("guestctl status")
    for word in ("libvirt-guests", "auto_shutdown_try_save"):
        expect(word in told, f"status has no word of {word}: {told}")
