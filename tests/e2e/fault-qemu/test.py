# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU processes fail: one hangs (SIGSTOP: its monitor answers nobody), one hangs while it is to be
saved, one dies (SIGKILL) in the middle of the drain, one is destroyed and started again by somebody
meanwhile.

Each of them is dealt with by its own deadline, everybody else obeys and notices nothing, all are on
the list and come back, also one that got another name while it was down. Then a guest that hangs does
not keep others from coming up.
"""

import re

import outside
from support import Fleet, configure, expect, newest_run
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
max_parallel = 0
[shutdown]
stop = ["shutdown 6s", "destroy"]
deadline = "50s"
[[guest]]
name = "restarted"
shutdown.stop = ["shutdown 20s", "destroy"]
shutdown.resend = "1s"
[[guest]]
name = "stuck-save"
shutdown.stop = ["save 6s", "destroy"]
"""
WELL = ["well1", "well2", "well3"]


def signal(host, name, guest):
    host.exec(f"kill -{name} $(cat /run/libvirt/qemu/{guest}.pid)", check=True)


def drain(host, fleet):
    signal(host, "STOP", "stuck")
    signal(host, "STOP", "stuck-save")
    draining = host.spawn("guestctl drain --yes --wait")
    fleet.wait_traces({name: "UA*" for name in (*WELL, "dies", "restarted")})
    signal(host, "KILL", "dies")
    host.exec("virsh destroy restarted; virsh start restarted", check=True)
    expect(draining.wait(90).rc == 4, "a drain that lost a guest is not clean")
    expect(not outside.qemus(host), f"left: {outside.qemus(host)}")
    traces = fleet.traces()
    expect(re.fullmatch("UA+UA+D", traces.pop("restarted")), f"traces: {fleet.traces()}")
    expect(traces == {**dict.fromkeys(WELL, "UAD"), "dies": "UA", "stuck": "U",
                      "stuck-save": "U"}, f"traces: {traces}")
    record, guests = newest_run(host, "drain")
    told = {name: guest["outcome"] for name, guest in guests.items()}
    expect(told == {**dict.fromkeys((*WELL, "restarted"), "shut-down"), "dies": "failed",
                    "stuck": "destroyed", "stuck-save": "destroyed"}, f"outcomes: {guests}")
    took = (record["ended_usec"] - record["started_usec"]) / 1e6
    expect(took < 50, f"the deadline was missed: {took:.1f} s")
    expect(outside.resume_list(host) == sorted(fleet.names), f"{outside.resume_list(host)}")
    print(f"two hung, one killed, one restarted, of {len(fleet.names)}: drained in {took:.1f} s")


def all_there(host, fleet):
    names = [name.replace("dies", "risen") for name in fleet.names]
    expect(outside.qemus(host) == dict.fromkeys(names, 1), f"{outside.qemus(host)}")


def boot_beside_a_stuck_one(host, fleet):
    """Asked by name, so that the one that hangs stays."""
    host.exec(f"guestctl drain --yes --wait {' '.join(WELL)}", timeout=90, check=True)
    signal(host, "STOP", "stuck")
    host.exec("systemctl restart guestd", check=True)  # nor does a new life's first look hang
    host.exec(f"guestctl boot --wait {' '.join(WELL)}", timeout=90, check=True)
    signal(host, "CONT", "stuck")
    all_there(host, fleet)


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet(host, [*(Guest(name, delay=2) for name in WELL), Guest("dies", delay=9),
                         Guest("restarted", delay=4), Guest("stuck"), Guest("stuck-save")])
    fleet.define().start()
    drain(host, fleet)
    before = fleet.traces()
    host.exec("virsh domrename dies risen && guestctl boot --wait", timeout=90, check=True)
    fleet.wait_traces({name: trace + "U" for name, trace in before.items()})
    all_there(host, fleet)
    boot_beside_a_stuck_one(host, fleet)
