# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests on which somebody has a job: a backup (pulled, so that it lasts until its owner ends it)
and a block copy with tiny bandwidth.

Rule: `busy` is waited for, in case the job ends by itself; then it is aborted, and the guest goes
on its ladder. A job that ends within that time is left to its end. Saving is the first step here,
because libvirt refuses to save a guest that has such a job. A guest without one waits for nobody.
"""

from support import Fleet, configure, expect, newest_run, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

BUSY = 2  # seconds
CONFIG = f"""
[boot]
ready = "running"
[shutdown]
stop = ["save 1min", "destroy"]
busy = "{BUSY}s"
[[guest]]
name = "finishing"
shutdown.busy = "1min"
"""
# The image is 8 MiB, at one MiB a second: it is not done within `busy`.
GROW = "for name in copied; do truncate -s 8M /var/lib/guestd-test/$name.img; done"
BACKUP = """<domainbackup mode='pull'>
  <server transport='unix' socket='/tmp/{name}.sock'/>
  <disks><disk name='hda' type='file'>
    <scratch file='/var/lib/guestd-test/{name}.scratch'/>
  </disk></disks>
</domainbackup>
"""


def begin_jobs(host):
    for name in ("backedup", "finishing"):
        host.put_file(f"/root/{name}.xml", BACKUP.format(name=name))
        host.exec(f"virsh backup-begin {name} /root/{name}.xml", check=True)
    host.exec("virsh blockcopy copied hda /var/lib/guestd-test/copy.img --transient-job "
              "--bandwidth 1", check=True)
    for name in ("backedup", "finishing"):
        expect("Backup" in host.out(f"virsh domjobinfo {name}"), f"{name} has no backup job")
    expect("Block Copy" in host.out("virsh blockjob copied hda"), "no block copy is running")


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    names = ["backedup", "copied", "finishing", "idle"]
    fleet = Fleet(host, [Guest(name) for name in names]).define()
    host.exec(GROW, check=True)
    fleet.start()
    begin_jobs(host)

    draining = host.spawn("guestctl drain --yes --wait")
    host.exec("timeout 60 bash -c 'while virsh list --name | grep -qE \"backedup|copied|idle\"; "
              "do sleep 0.1; done'", check=True, timeout=70)
    running = fleet.running()
    expect(running == ["finishing"], f"its job was aborted before its time: only {running} run")
    host.exec("virsh domjobabort finishing", check=True)
    result = draining.wait(60)
    expect(result.rc == 0, f"the drain was not clean: {result.out}")
    _, guests = newest_run(host, "drain")
    expect(outcomes(host, "drain") == dict.fromkeys(names, "saved"), f"outcomes: {guests}")

    begun = min(guest["started_usec"] for guest in guests.values())
    took = {name: (guest["ended_usec"] - begun) / 1e6 for name, guest in guests.items()}
    for name in ("backedup", "copied"):
        expect(took[name] >= BUSY, f"the job of {name} was not waited for: {took}")
        expect("job" in guests[name].get("cause", "") or "backup" in guests[name].get("cause", ""),
               f"the cause does not say that a job was aborted: {guests[name]}")
    expect(took["idle"] < min(took["backedup"], took["copied"]), f"the idle guest waited: {took}")
    host.exec("guestctl boot --wait", timeout=60, check=True)
    expect(set(fleet.traces().values()) == {"U"}, f"not all were restored: {fleet.traces()}")
