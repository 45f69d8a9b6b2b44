# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that were saved, and whose images, disks or definitions are not what they were.

For each: what is done to it, and what must come of it. A guest that is held stays down, with its
image and its entry on the resume list, and the cause says why; one that may boot cold has its image
set aside, never deleted.
"""

import json
from dataclasses import dataclass

from hosts.fleet import FOLDER, IMAGES
from support import Fleet, configure, expect, newest_run
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
retry = { attempts = 2, backoff = "200ms", max_backoff = "200ms" }
[shutdown]
stop = ["save 1min", "destroy"]
[[guest]]
name = "*-cold"
start.restore_failure = "cold-boot"
[[guest]]
name = "renewed"
start.pending_config = "cold-boot"
"""
CUT = "truncate -s 200K {saves}/{name}.save"
# What only QEMU notices: size and times are as they were, half of it makes no sense.
GARBLE = """image={saves}/{name}.save; half=$(($(stat -c %s $image) / 2)); touch -r $image /run/times
head -c $half /dev/zero | tr '\\0' '\\377' | dd of=$image bs=$half seek=1 conv=notrunc status=none
touch -r /run/times $image"""
# As an interrupted save leaves it; libvirt boots such a guest without a word.
UNFINISHED = "printf LibvirtQemudPart | dd of={saves}/{name}.save conv=notrunc status=none"
GROW = "virsh setmaxmem {name} 24M --config && virsh setmem {name} 24M --config"


@dataclass
class Case:
    damage: str
    outcome: str  # of the boot run
    cause: str  # words in it; "" = none at all
    set_aside: bool = False  # where its image went; a guest that is held keeps it


CASES = {
    "whole": Case("true", "restored", ""),
    "truncated": Case(CUT, "failed", "image"),
    "garbled": Case(GARBLE, "failed", "could not be restored"),
    "swapped": Case("cp {saves}/whole.save {saves}/{name}.save", "failed", "saved image"),
    "written": Case("printf x | dd of={folder}/{name}.img bs=1 seek=400 conv=notrunc status=none",
                    "failed", "{folder}/{name}.img"),
    "unfinished": Case(UNFINISHED, "started", "cut short"),
    "missing": Case("rm {saves}/{name}.save", "started", "booted cold"),
    "truncated-cold": Case(CUT, "started", "set aside", set_aside=True),
    "garbled-cold": Case(GARBLE, "started", "set aside", set_aside=True),
    "written-cold": Case("touch {folder}/{name}.img", "started", "set aside", set_aside=True),
    "grown": Case(GROW, "restored", ""),  # said in the journal
    "renewed": Case(GROW, "started", "memory", set_aside=True),
}


def fill(text, name):
    return text.format(name=name, saves=IMAGES, folder=FOLDER)


def check(name, case, told, before, after, entries, images):
    expect(told["outcome"] == case.outcome, f"{name}: {told}")
    cause = told.get("cause", "")
    expect(fill(case.cause, name) in cause and bool(cause) == bool(case.cause), f"{name}: {told}")
    grown = after.removeprefix(before)
    expect(grown == ("U" if case.outcome == "started" else ""), f"{name} traced {before}, {after}")
    kept = [image for image in images if image.startswith(f"{name}.save")]
    if case.outcome == "failed":
        expect(kept == [f"{name}.save"], f"{name}, held, its image: {kept}")
        expect(name in entries and entries[name], f"{name}, held, its entry: {entries}")
    else:
        aside = [image for image in kept if image != f"{name}.save"]
        expect(len(aside) == case.set_aside and f"{name}.save" not in kept,
               f"{name}, running, images: {kept}")
        expect(name not in entries, f"{name} runs and is on the list still: {entries}")


def check_memory(host):
    """Who goes on has what it had, which is said; who booted has what its definition says."""
    told = host.journal("-u", "guestd", "-o", "cat")
    expect(any(line.startswith("grown: ") and "memory: 16 MiB in the image, 24 MiB" in line
               for line in told.splitlines()), f"no word of grown's memory in:\n{told}")
    for name, mib in (("grown", 16), ("renewed", 24)):
        info = host.out(f"virsh dominfo {name} | grep 'Used memory'").split()
        expect(info[-2] == str(mib * 1024), f"{name}: {info}, should be {mib} MiB")


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest(name) for name in CASES]).define().start()
    host.exec("guestctl drain --yes --wait", timeout=120, check=True)
    before = fleet.traces()
    for name, case in CASES.items():
        host.exec(fill(case.damage, name), check=True)
    host.exec("guestctl boot --wait", timeout=120)

    _, told = newest_run(host, "boot")
    booted = {name: before[name] + "U" for name, case in CASES.items() if case.outcome == "started"}
    Fleet(host, [Guest(name) for name in booted]).wait_traces(booted)
    after = fleet.traces()
    entries = {entry["name"]: entry.get("last_error")
               for entry in json.loads(host.out("guestctl --json resume-list"))}
    images = host.out(f"ls {IMAGES}").split()
    for name, case in CASES.items():
        check(name, case, told[name], before[name], after[name], entries, images)
    up = [name for name, case in CASES.items() if case.outcome != "failed"]
    expect(sorted(fleet.running()) == sorted(up), f"running: {fleet.running()}")
    check_memory(host)
