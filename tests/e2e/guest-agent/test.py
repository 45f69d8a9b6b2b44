# SPDX-License-Identifier: LGPL-2.1-or-later
"""Three Linux guests with a real qemu-guest-agent, as far as libvirt knows all connected.

One whose agent works: it is asked to shut down, and the button is not pressed. One whose agent was
stopped inside (SIGSTOP) and never answers, and one whose agent takes the order and nothing happens:
the power button follows in time, and both obey that. No guest needs its last step.
"""

from hosts import linux_guest
from support import Fleet, configure, expect, newest_run, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 1min", "destroy"]
resend = "2s"
"""
KINDS_OF_AGENT = {"works": "GD", "frozen": "AD", "lazy": "GAD"}  # and what the trace grows by


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    linux_guest.install(host)
    fleet = Fleet(host, [Guest(kind, **linux_guest.options(kind))
                         for kind in KINDS_OF_AGENT]).define().start()
    for name in fleet.names:
        state = host.out(f"virsh dumpxml {name} | grep -A3 guest_agent")
        expect("state='connected'" in state, f"{name}: libvirt sees no agent: {state}")

    host.exec("guestctl drain --yes --wait", timeout=120)
    drain, guests = newest_run(host, "drain")
    expect(outcomes(host, "drain") == dict.fromkeys(fleet.names, "shut-down"), f"{guests}")
    traces = fleet.traces()
    expect(traces == {kind: "U" + grown for kind, grown in KINDS_OF_AGENT.items()},
           f"who asked whom: {traces}")
    took = {name: (guest["ended_usec"] - drain["started_usec"]) / 1e6
            for name, guest in guests.items()}
    print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items()))
