# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody needs guests to be up: `guestctl wait --ready`, and a unit after guestd-wait-boot.service.

At boot db takes two seconds to be ready, late is held until the test opens its gate, and broken does
its work never. Whoever waits for db goes on when db is ready and not before; whoever waits for late
waits on over a restart of guestd; the time that one is willing to wait is kept; what fails is named,
with the cause. The unit that needs the guests starts when the boot run has dealt with all of them.
"""

import observe
from support import Fleet, expect
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

READY = 2.0  # seconds, by CONFIG
CONFIG = """
[boot]
ready = "delay:1s"
[[guest]]
name = "db"
start.ready = "delay:2s"
[[guest]]
name = "late"
start.needs = ["path:/srv/open"]
"""
BREAK = """
[[guest]]
name = "broken"
start.ready = "delay:1h"
start.ready_timeout = "1s"
start.on_ready_timeout = "fail"
"""
USER = """[Unit]
Wants=guestd-wait-boot.service
After=guestd-wait-boot.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'date +%%s.%%N >/run/used'
[Install]
WantedBy=multi-user.target
"""


def boot(host, fleet):
    """Boots as far as the first commands; db is waited for from then on."""
    host.poweroff()
    host.boot(wait="channel")
    host.exec("until [ -S /run/dbus/system_bus_socket ]; do sleep 0.02; done", check=True)
    waiting = host.spawn("guestctl wait --ready db; code=$?; date +%s.%N; exit $code")
    host.exec("until virsh uri >/dev/null 2>&1; do sleep 0.05; done", check=True)
    return waiting


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.put_file("/etc/systemd/system/user.service", USER)
    host.exec("systemctl enable -q user.service", check=True)
    fleet = Fleet(host, [Guest("db", autostart=True), Guest("late", autostart=True)]).define()

    result = boot(host, fleet).wait(60)
    up = observe.traced(fleet)["db"]
    expect(result.rc == 0, f"waited for db: {result}")
    waited_until = float(result.out.split()[-1])
    expect(waited_until - up >= READY - 0.5, f"db was up for {waited_until - up:.2f} s only")
    expect(host.exec("test -e /run/used").rc != 0, "the unit started while late was not up")

    result = host.exec("guestctl wait --ready late --timeout 500ms")
    expect(result.rc == 5 and "late" in result.out, f"no time for late: {result}")
    waiting = host.spawn("guestctl wait --ready late")
    host.exec("systemctl restart guestd", check=True)
    host.exec("touch /srv/open", check=True)
    result = waiting.wait(60)
    expect(result.rc == 0, f"waited for late: {result}")
    host.exec("timeout 30 bash -c 'until [ -s /run/used ]; do sleep 0.05; done'", check=True)
    used = float(host.out("cat /run/used"))
    expect(used > observe.traced(fleet)["late"], "the unit was started before late was up")
    expect(host.exec("guestctl wait --ready").rc == 0, "all are ready, and wait says no")

    host.put_file("/etc/guestd/guestd.toml", CONFIG + BREAK)
    Fleet(host, [Guest("broken", autostart=True)]).define()
    result = boot(host, fleet).wait(60)
    expect(result.rc == 0, f"waited for db, beside one that fails: {result}")
    result = host.exec("guestctl wait --ready broken")
    expect(result.rc == 1 and "broken" in result.out and "not ready" in result.out,
           f"a guest that fails: {result}")
    result = host.exec("guestctl wait --ready db late --timeout 30s")
    expect(result.rc == 0, f"the others: {result}")
    expect(host.exec("guestctl wait --ready --timeout 30s").rc == 1, "one of all has failed")
