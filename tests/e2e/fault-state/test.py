# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guestd remembers is damaged, or cannot be written: state.db is cut short, has flipped bits, is
of a newer schema, is locked by another process; its folder is read-only, its disk answers EIO, its
configuration cannot be read.

A damaged file is set aside under a date, and what can be read of it still brings guests back. Where
nothing can be written, the guests are asked all the same, and libvirt itself remembers them. Each
time it is said.
"""

import contextlib
import sqlite3
import tempfile

import outside
from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

FOLDER = "/var/lib/guestd"
CONFIG = """
[boot]
ready = "running"
max_parallel = 0
"""
PAGE = 4096


def cut_short(data):
    """Its last two pages are not there: the disk was full, or the copy broke off."""
    return data[:-2 * PAGE]


def flipped(data):
    """A bit of the header of a page in the middle, as by bad memory."""
    changed = bytearray(data)
    changed[5 * PAGE] ^= 0x20
    return bytes(changed)


def another_uuid(data):
    """A bit of a UUID in the list: the row is well formed, and somebody else's."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.closing(sqlite3.connect(file.name)) as db:
            page, uuid = db.execute("SELECT rootpage, (SELECT uuid FROM resume LIMIT 1) "
                                    "FROM sqlite_schema WHERE name = 'resume'").fetchone()
    begin = (page - 1) * PAGE
    at = data.index(uuid.encode(), begin, begin + PAGE)
    return data[:at] + (b"1" if data[at:at + 1] != b"1" else b"3") + data[at + 1:]


def newer(data):
    """Written by a guestd of next year (PRAGMA user_version, offset 60)."""
    return data[:60] + (99).to_bytes(4, "big") + data[64:]


DAMAGE = {"cut short": (cut_short, "damaged"), "a flipped bit": (flipped, "damaged"),
          "a flipped bit of a UUID": (another_uuid, "damaged"),
          "of a newer schema": (newer, "newer")}


def asked_and_off(host, fleet, what):
    """Switches the host off. Returns the traces, which say that everybody obeyed."""
    before = fleet.traces()
    host.poweroff()
    traces = fleet.traces()
    expect(traces == {name: trace + "AD" for name, trace in before.items()}, f"{what}: {traces}")
    return traces


def back(host, fleet, traces, what):
    host.boot()
    host.exec("guestctl wait", timeout=60)
    fleet.wait_traces({name: trace + "U" for name, trace in traces.items()})
    expect(outside.qemus(host) == dict.fromkeys(fleet.names, 1), f"{what}: {outside.qemus(host)}")
    print(f"{what}: all asked, all back")


def said(host, words, what):
    journal = host.journal("-b", "-t", "guestd", "-o", "cat")
    expect(words in journal, f"{what}: nobody said \"{words}\": {journal[-2000:]}")


def damaged(host, fleet):
    """While the host is off, with the list in the file."""
    for what, (damage, kind) in DAMAGE.items():
        traces = asked_and_off(host, fleet, what)
        data = host.read_file(f"{FOLDER}/state.db")
        host.put_file(f"{FOLDER}/state.db", damage(data), mode=0o600)
        back(host, fleet, traces, what)
        said(host, "set aside as", what)
        aside = host.out(f"ls {FOLDER}").split()
        expect(any(name.startswith(f"state.db.{kind}-") for name in aside), f"{what}: {aside}")
        expect(host.read_file(f"{FOLDER}/state.db")[:15] == b"SQLite format 3", f"{what}: no new one")
        host.exec(f"rm {FOLDER}/state.db.{kind}-*", check=True)


def cannot_be_written(host, fleet, what, fault):
    host.exec(fault, timeout=60, check=True)
    host.exec("timeout 30 bash -c 'until guestctl --json list | grep -q vm1; do sleep 0.1; done'",
              check=True)
    expect(outside.qemus(host) == dict.fromkeys(fleet.names, 1), f"{what}: {outside.qemus(host)}")
    traces = asked_and_off(host, fleet, what)
    said(host, "the resume list could not be saved", what)
    back(host, fleet, traces, what)


# Who has the lock keeps it: a backup program that hangs, say; also while the host goes down.
LOCKED = f"""systemctl stop guestd
systemd-run --quiet -p DefaultDependencies=no --unit=locker bash -c \\
    "(echo 'PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; SELECT 1;'; sleep infinity) |
        stdbuf -oL sqlite3 {FOLDER}/state.db >/run/locked"
timeout 10 bash -c 'until grep -q 1 /run/locked; do sleep 0.05; done'
systemctl start guestd"""
READ_ONLY = f"""systemctl stop guestd
mkdir /run/copy && cp -a {FOLDER}/. /run/copy
mount -t tmpfs -o mode=700 state {FOLDER} && cp -a /run/copy/. {FOLDER}
mount -o remount,ro {FOLDER}
systemctl start guestd"""
# Every write of the store's thread fails, as on a disk that dies; other reads and writes do not.
EIO = """pid=$(systemctl show -P MainPID guestd)
task=$(grep -lx store /proc/$pid/task/*/comm); tid=$(basename ${task%/comm})
systemd-run --quiet --collect -p DefaultDependencies=no --unit=dying \\
    strace -qq -p $tid -o /dev/null \\
    -e trace=pwrite64,fdatasync,fsync -e inject=pwrite64,fdatasync,fsync:error=EIO
until grep -q 'TracerPid:.*[1-9]' /proc/$tid/status; do sleep 0.01; done"""


def unreadable_configuration(host, fleet):
    """A folder where the file should be: also root cannot read that."""
    traces = asked_and_off(host, fleet, "before")
    back(host, fleet, traces, "as it should be")
    host.exec("mv /etc/guestd/guestd.toml /run/kept; mkdir /etc/guestd/guestd.toml", check=True)
    running = outside.processes(host)
    host.exec("systemctl reload guestd")
    host.exec("systemctl restart guestd", check=True)
    expect("last good" in host.out("guestctl status"), host.out("guestctl status"))
    expect(outside.processes(host) == running, "a bad configuration touched guests")
    traces = asked_and_off(host, fleet, "unreadable")
    back(host, fleet, traces, "configuration unreadable")
    host.exec("rmdir /etc/guestd/guestd.toml; mv /run/kept /etc/guestd/guestd.toml")


def run(context):
    host = context.host(extras=("strace",))
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.boot()
    context.manager.install(host)
    fleet = Fleet.of(host, 3).define().start()
    damaged(host, fleet)
    cannot_be_written(host, fleet, "locked by another process", LOCKED)
    cannot_be_written(host, fleet, "folder read-only", READ_ONLY)
    cannot_be_written(host, fleet, "EIO from the disk", EIO)
    unreadable_configuration(host, fleet)
