# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package is installed while libvirt-guests runs and guests are up: no guest is touched, none
that an admin stopped is started; removing it touches none either. From the next poweroff on guestd
does the work. A guestd that may not or cannot start leaves the guests to libvirt-guests."""

import re
import subprocess
from pathlib import Path

from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)


def libraries(package):
    """The libraries that the package depends on: dpkg alone does not fetch them."""
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], check=True, text=True,
                             capture_output=True).stdout
    return re.findall(r"\blib[a-z0-9.+-]+", depends)


def not_started(host, install, fleet, enabled):
    """guestd did not start: libvirt-guests is what it was, its stop included."""
    host.exec(install, timeout=120)
    are = host.exec("systemctl is-enabled guestd libvirt-guests; "
                    "systemctl is-active guestd libvirt-guests").out.split()
    # Failed: its last attempt was ended by the start of the other.
    expect(are in ([enabled, "enabled", down, "active"] for down in ("inactive", "failed")),
           f"guestd, libvirt-guests: {are}; the guests should be left to the latter")
    expect("libvirt-guests" in host.out("systemctl show -p ExecStop libvirt-guests"),
           "libvirt-guests does not stop the guests")
    host.exec("dpkg -P guestd", timeout=60, check=True)
    expect(set(fleet.traces().values()) == {"U"}, f"guests were touched: {fleet.traces()}")


def without_guestd(host, install, fleet):
    policy, drop_in = "/usr/sbin/policy-rc.d", "/etc/systemd/system/guestd.service.d/broken.conf"
    host.put_file(policy, "#!/bin/sh\nexit 101\n", mode=0o755)
    not_started(host, install, fleet, "enabled")
    host.exec(f"rm {policy}", check=True)
    host.put_file(drop_in, "[Service]\nExecStartPre=/bin/false\n")
    not_started(host, install, fleet, "disabled")
    host.exec(f"rm {drop_in}; systemctl daemon-reload", check=True)


def run(context):
    package = context.manager.extras[0]
    context.manager.extras = tuple(libraries(package))
    context.prepare()
    host = context.host()
    host.boot()
    host.exec("systemctl enable --now libvirt-guests", check=True)
    fleet = Fleet.of(host, 3).define().start()
    stopped = Fleet.of(host, 1, prefix="off", autostart=True).define()
    host.put_file("/root/guestd.deb", Path(package).read_bytes())
    install = "DEBIAN_FRONTEND=noninteractive dpkg -i /root/guestd.deb"
    without_guestd(host, install, fleet)
    code, text = host.exec(install, timeout=120)
    expect(code == 0, f"installing: {text}")
    expect(host.exec("systemctl is-active libvirt-guests").out.strip() != "active",
           "libvirt-guests is still active")
    expect(set(fleet.traces().values()) == {"U"}, f"installing touched guests: {fleet.traces()}")
    expect(stopped.states()["off1"] == "shut off", "installing started a guest")

    host.exec("dpkg -r guestd", timeout=60, check=True)
    expect(set(fleet.traces().values()) == {"U"}, f"removing touched guests: {fleet.traces()}")
    host.exec(install, timeout=120, check=True)
    host.poweroff()
    expect(fleet.obeyed() == fleet.names, f"not all guests obeyed: {fleet.traces()}")
