# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is so on a host, as told by anybody but guestd: QEMU's processes, libvirt, SQLite's own shell.

guestd may be dead, frozen or wrong while these are asked.
"""

from collections import Counter

from observe import eventually

STATE = "/var/lib/guestd/state.db"


def processes(host):
    """[(guest, process id)] of all QEMUs."""
    lines = host.out(r"pgrep -a qemu-system | sed -nE 's/^([0-9]+) .* -name guest=([^, ]+).*/\2 \1/p'")
    return sorted(tuple(line.split()) for line in lines.splitlines())


def qemus(host):
    """{guest: number of its QEMU processes}: two of one would write to one disk."""
    return Counter(name for name, _ in processes(host))


def resume_list(host):
    """The names on the resume list, read from the file itself."""
    return sorted(host.out(f"sqlite3 {STATE} 'SELECT name FROM resume'").splitlines())


def runs(host):
    """[(number, kind, state, seconds from start to deadline)], oldest first, from the file itself."""
    lines = host.out(f"sqlite3 {STATE} 'SELECT id, kind, state, (deadline - started) / 1000000 "
                     "FROM run ORDER BY id'").splitlines()
    return [(int(number), kind, state, int(span))
            for number, kind, state, span in (line.split("|") for line in lines)]


def main_pid(host, unit="guestd"):
    return int(host.out(f"systemctl show -P MainPID {unit}"))


def answers(host):
    """Until guestd is there, and has the guests of its URI."""
    eventually(lambda: host.exec("guestctl --json list").rc == 0, lambda: host.journal("-n", "30"))


def settled(host):
    """Until guestd is there and no run is active, on the bus or on the disk."""
    def over():
        code, said = host.exec("guestctl --json status")
        return code == 0 and '"active_run"' not in said and '"connected": true' in said \
            and all(state != "active" for _, _, state, _ in runs(host))
    eventually(over, lambda: host.journal("-u", "guestd", "-n", "30"), timeout=90)
