# SPDX-License-Identifier: LGPL-2.1-or-later
"""An administrator stops guestd, and the host goes down later: its stand-in drains the guests, who
are still guestd's. With guestd disabled as well they are somebody else's, and nobody interferes;
unless guestd was at work all the same."""

from hosts.fleet import IMAGES
from observe import wait_known
from stand_in import DEADLY, finished, said
from support import Fleet, configure, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["save 1min"]
"""
DROP_IN = "/etc/systemd/system/guestd.service.d/test.conf"


def has_image(host, name):
    try:
        return bool(host.read_file(f"{IMAGES}/{name}.save"))
    except FileNotFoundError:
        return False


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet.of(host, 2).define().start()
    wait_known(fleet)

    host.exec("systemctl stop guestd", check=True)
    expect(fleet.running() == fleet.names, "the stop of guestd touched a guest")
    host.poweroff()
    expect(finished(host) == 1, said(host))
    expect(all(has_image(host, name) for name in fleet.names), "not all were saved")
    host.boot()
    host.exec("guestctl wait", timeout=60, check=True)
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")

    # Disabled, but at work: it is killed before it hears of its stop.
    host.put_file(DROP_IN, DEADLY)
    host.exec("systemctl stop guestd; systemctl disable guestd; systemctl daemon-reload; "
              "systemctl start guestd", check=True)
    wait_known(fleet)
    host.poweroff()
    expect(finished(host) == 1, said(host))
    expect(all(has_image(host, name) for name in fleet.names), "not all were saved")

    host.boot()
    fleet.start(wait_up=False)  # from their images
    host.exec(f"rm {DROP_IN}; systemctl daemon-reload; systemctl start guestd", check=True)
    wait_known(fleet)
    host.exec("systemctl stop guestd", check=True)
    expect(fleet.running() == fleet.names, "the stop of guestd touched a guest")
    host.poweroff()
    expect("guestd was stopped and is disabled" in said(host), said(host))
    expect(not any(has_image(host, name) for name in fleet.names), "somebody's guests were saved")
