# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thirty guests on libvirt's default settings: saved at a reboot and restored, then shut down at
poweroff, then saved and restored again by hand. No connection dies of too many requests."""

from support import Fleet, expect, newest_history

KINDS = ("container",)
MANAGERS = ("guestd",)
TIMEOUT = 420

CONFIG = """
[boot]
ready = "running"
max_parallel = 0
[shutdown.on.reboot]
stop = ["save 2min", "destroy"]
"""


def outcomes(host, kind):
    return [guest["outcome"] for guest in newest_history(host, kind)[1]]


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.exec("systemctl restart guestd", check=True)
    fleet = Fleet.of(host, 30).define().start()

    host.reboot(timeout=180)
    host.exec("guestctl wait", timeout=180, check=True)
    expect(outcomes(host, "drain") == ["saved"] * 30, f"saved: {outcomes(host, 'drain')}")
    expect(outcomes(host, "boot") == ["restored"] * 30, f"restored: {outcomes(host, 'boot')}")
    expect(set(fleet.traces().values()) == {"U"}, f"not all were restored: {fleet.traces()}")

    host.poweroff(timeout=180)
    expect(fleet.obeyed() == fleet.names, f"not all guests obeyed: {fleet.traces()}")
    host.boot()
    host.exec("guestctl wait", timeout=180, check=True)
    expect(outcomes(host, "drain") == ["shut-down"] * 30, f"obeyed: {outcomes(host, 'drain')}")
    expect(outcomes(host, "boot") == ["started"] * 30, f"started: {outcomes(host, 'boot')}")

    told = host.journal("-u", "libvirtd", "-u", "guestd", "-o", "cat")
    for bad in ("max requests limit", "keepalive", "connection lost"):
        expect(bad not in told.lower(), f"'{bad}' in the journal:\n{told[-3000:]}")
