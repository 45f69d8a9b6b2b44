# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two guests on one disk, and one whose disk another host has locked; locks are virtlockd's.

"second" and "third" are on the resume list, and their disks are in use when the boot run comes:
second's by "first", which QEMU itself notices before virtlockd does; third's by another host, which
on shared storage is a lock that virtlockd finds there. Both are "held elsewhere": tried again and
again, more often than a failing guest would be. Nothing is forced: first never notices, and the
entries stay on the list. As soon as a disk is free, its guest comes up.
"""

import json

from hosts.fleet import FOLDER
from observe import eventually, traced, wait_known
from support import Fleet, configure, expect, held, known_guests, newest_run
from guests import Guest, raw_disk

KINDS = ("container",)
MANAGERS = ("guestd",)

ATTEMPTS = 2
CONFIG = f"""
[boot]
ready = "running"
retry = {{ attempts = {ATTEMPTS}, backoff = "500ms", max_backoff = "2s" }}
[shutdown]
stop = ["shutdown 1min", "destroy"]
"""
USE_LOCKD = """echo 'lock_manager = "lockd"' >>/etc/libvirt/qemu.conf; systemctl restart libvirtd"""
# The byte and the kind of lock that virtlockd uses.
LOCK = f"""import fcntl, signal
disk = open("{FOLDER}/third.img", "r+")
fcntl.lockf(disk, fcntl.LOCK_EX, 1, 0)
open("/run/locked", "w").close()
signal.pause()
"""
OTHER_HOST = """systemd-run --quiet --unit=other-host python3 /root/lock.py
timeout 20 bash -c 'until [ -e /run/locked ]; do sleep 0.05; done'"""


def entries(host):
    return sorted(entry["name"] for entry in json.loads(host.out("guestctl --json resume-list")))


def make_them_wait(host, fleet):
    first, second, third = (Fleet(host, [guest]) for guest in fleet.guests)
    second.start()
    third.start()
    host.exec("guestctl drain --yes --wait", timeout=60, check=True)
    expect(entries(host) == ["second", "third"], f"on the list: {entries(host)}")
    first.start()
    host.put_file("/root/lock.py", LOCK)
    host.exec(OTHER_HOST, check=True)
    for name, words in (("second", 'get "write" lock'), ("third", "resource busy")):
        refused = host.exec(f"virsh start {name}").out
        expect(words in refused, f"{name} is not held off: {refused}")
    return first, second, third


def check_held(host, name):
    """In a state of its own, and tried more often than a guest that fails."""
    eventually(lambda: "held elsewhere" in held(host).get(name, "")
               and known_guests(host)[name]["attempts"] > ATTEMPTS + 1,
               lambda: f"{name}: {known_guests(host)[name]}")


def run(context):
    host = context.managed_host()
    host.exec(USE_LOCKD, check=True)
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest("first"), Guest("second", disk=raw_disk(f"{FOLDER}/first.img")),
                         Guest("third")]).define()
    wait_known(fleet)
    first, second, third = make_them_wait(host, fleet)

    host.exec("guestctl boot", check=True)
    for name in ("second", "third"):
        check_held(host, name)
        expect(name in entries(host), f"its entry was dropped: {entries(host)}")
    # Not while it is just being tried again.
    eventually(lambda: "held elsewhere" in host.out("guestctl status"),
               lambda: host.out("guestctl status"))
    expect(fleet.running() == ["first"] and first.traces() == {"first": "U"},
           f"somebody touched the first: {fleet.traces()}")

    host.exec("virsh shutdown first", check=True)
    second.wait_traces("UADU")
    times = traced(fleet)
    print(f"second was up {times['second'] - times['first']:.1f} s after first was off")
    expect("third" not in fleet.running(), "third runs although its disk is locked")
    host.exec("systemctl stop other-host", check=True)
    third.wait_traces("UADU")
    host.exec("guestctl wait", timeout=30, check=True)
    _, guests = newest_run(host, "boot")
    expect({name: guest["outcome"] for name, guest in guests.items()}
           == {"second": "started", "third": "started"}, f"outcomes: {guests}")
    expect(entries(host) == [], f"still on the list: {entries(host)}")
