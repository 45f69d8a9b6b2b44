# SPDX-License-Identifier: LGPL-2.1-or-later
"""A drain is cancelled in its middle: what it shut down starts again, what it saved is restored,
one that was asked and goes down only afterwards comes back as well; in the boot's order."""

from support import Fleet, configure, expect, newest_run
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 1min", "destroy"]
[[guest]]
name = "saved"
shutdown.stop = ["save 1min", "destroy"]
[[guest]]
name = "web"
after = ["db"]
"""


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest("db"), Guest("web"), Guest("saved"), Guest("slow", delay=8)])
    fleet.define().start()
    host.exec("guestctl drain --yes", check=True)
    fleet.wait_traces({"db": "UAD", "web": "UAD", "saved": "U", "slow": "UA"}, timeout=30)
    # Down as libvirt sees it: one that is asked and still there is not started again yet.
    for name in ("db", "web", "saved"):
        host.exec(f"timeout 10 bash -c 'until [ \"$(virsh domstate {name})\" = \"shut off\" ]; "
                  "do sleep 0.05; done'", check=True)
    host.exec("guestctl cancel", check=True)
    fleet.wait_traces({"db": "UADU", "web": "UADU", "saved": "U", "slow": "UADU"}, timeout=60)
    host.exec("guestctl wait", timeout=200, check=True)
    expect(fleet.running() == sorted(fleet.names, key=fleet.names.index), f"{fleet.running()}")
    _, guests = newest_run(host, "boot")
    expect(guests["saved"]["outcome"] == "restored", f"{guests}")
    expect(guests["db"]["started_usec"] < guests["web"]["started_usec"],
           f"web before db, which it starts after: {guests}")
    expect(host.out("guestctl --json resume-list") == "[]", "somebody is left on the list")
