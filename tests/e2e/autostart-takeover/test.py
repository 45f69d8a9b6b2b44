# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who starts libvirt's autostart guests: guestd, libvirt after `give`, guestd again after `take`.

Each time the host boots in between, and every guest starts exactly once; who did it is seen by what
guestd was asked to throttle: alone it starts one at a time. A flag that changes while guestd runs
is noticed, though libvirt tells nobody. Others who would start or stop the same guests are named,
with what to do about them.
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


def show(host, name, flag):
    """Waits until guestd shows the flag so; far shorter than it goes without looking."""
    host.exec(f"timeout 5 bash -c 'until guestctl show {name} | grep -q \"Autostart: *{flag}\"; "
              "do sleep 0.02; done'", check=True)


def follow_the_flag(host, fleet):
    """`virsh autostart` tells nobody. guestd, which was not restarted, knows all the same."""
    name = fleet.names[0]
    host.exec(f"virsh shutdown {name}; timeout 20 bash -c 'while virsh list --name | "
              f"grep -qx {name}; do sleep 0.1; done'", check=True)
    host.exec(f"virsh autostart --disable {name} && guestctl boot --wait", timeout=60, check=True)
    expect(name not in fleet.running(), "a guest was started that nobody wants up any more")
    show(host, name, "no")
    host.exec(f"virsh autostart {name}", check=True)
    show(host, name, "yes")
    host.exec(f"virsh autostart --disable {name}", check=True)
    show(host, name, "no")
    host.exec(f"virsh autostart {name} && guestctl boot --wait", timeout=60, check=True)
    expect(name in fleet.running(), "flagged a moment ago, and not started")


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    fleet = Fleet.of(host, COUNT, autostart=True).define()
    expect("guestd" in status(host), status(host))
    expect(boot(host, fleet, "U"), "guestd did not start them one by one")
    expect(set(outcomes(host, "boot").values()) == {"started"}, f"{outcomes(host, 'boot')}")

    host.exec("guestctl autostart give", check=True)
    expect("libvirt" in status(host), status(host))
    boot(host, fleet, "UADU")  # by libvirt: all at once, but a busy machine starts them seconds apart
    expect(not outcomes(host, "boot"), f"guestd took part: {outcomes(host, 'boot')}")

    host.exec("guestctl autostart take", check=True)
    expect(boot(host, fleet, "UADUADU"), "guestd did not start them one by one again")
    follow_the_flag(host, fleet)

    host.exec("systemctl enable -q libvirt-guests; "
              "echo 'auto_shutdown_try_save = \"persistent\"' >>/etc/libvirt/qemu.conf", check=True)
    told = status(host)
    for word in ("libvirt-guests", "auto_shutdown_try_save"):
        expect(word in told, f"no word of {word}: {told}")
    host.exec("systemctl restart guestd", check=True)
    told = host.out("guestctl status")
    for word in ("libvirt-guests", "auto_shutdown_try_save"):
        expect(word in told, f"status has no word of {word}: {told}")
