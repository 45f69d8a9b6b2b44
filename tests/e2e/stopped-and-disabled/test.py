# SPDX-License-Identifier: LGPL-2.1-or-later
"""An administrator stops guestd, and the host goes down later: its stand-in drains the guests, who
are still guestd's. With guestd disabled as well they are somebody else's, and nobody interferes."""

from observe import wait_known
from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["save 1min"]
"""
IMAGES = "/var/lib/libvirt/qemu/save"


def has_image(host, name):
    try:
        return bool(host.read_file(f"{IMAGES}/{name}.save"))
    except FileNotFoundError:
        return False


def said(host):
    return host.journal("-u", "guestd-finish", "-b")


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.exec("systemctl restart guestd", check=True)
    fleet = Fleet.of(host, 2).define().start()
    wait_known(fleet)

    host.exec("systemctl stop guestd", check=True)
    expect(fleet.running() == fleet.names, "the stop of guestd touched a guest")
    host.poweroff()
    expect("its drain is finished now" in said(host), said(host))
    expect(all(has_image(host, name) for name in fleet.names), "not all were saved")
    host.boot()
    host.exec("guestctl wait", timeout=60, check=True)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")

    # In this order, too, guestd is enabled when it is stopped.
    host.exec("systemctl stop guestd; systemctl disable guestd", check=True)
    expect(fleet.running() == fleet.names, "the stop of guestd touched a guest")
    host.poweroff()
    expect("guestd was stopped and is disabled" in said(host), said(host))
    expect(not any(has_image(host, name) for name in fleet.names), "somebody's guests were saved")
