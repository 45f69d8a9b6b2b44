# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guestd tells others through fails: dbus-daemon is restarted, journald is stopped, journald
hangs with its queue full, guestd starts beside a bus that hangs; at last the bus dies while the host
goes down.

No guest is touched, a drain under way goes on, guestd is there for guestctl again, and the host goes
down with every guest asked.
"""

import outside
from support import Fleet, configure, expect, outcomes

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
max_parallel = 0
[shutdown]
stop = ["shutdown 40s", "destroy"]
resend = "0s"
[shutdown.on.poweroff]
stop = ["shutdown 8s", "destroy"]
deadline = "12s"
"""
ANSWERS = "timeout 30 bash -c 'until guestctl --json list >/dev/null 2>&1; do sleep 0.1; done'"
JOURNAL = "systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket " \
          "systemd-journald-audit.socket"
# Until nobody can write any more: what guestd says next finds a full queue.
FILL = """systemctl kill --kill-whom=main -s STOP systemd-journald
python3 - <<'END'
import socket
for path in ("/run/systemd/journal/socket", "/run/systemd/journal/dev-log"):
    senders, sent = [], -1
    while sent != len(senders):  # until a new one cannot send a single message
        sent = len(senders)
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        sender.connect(path)
        try:
            while True:
                sender.send(b"MESSAGE=filler\\n")
                senders[sent:] = [sender]
        except BlockingIOError:
            pass
    print("full:", path)
END"""


def stopped(host, fleet, what, fault, heal="true"):
    """A drain in which `fault` strikes once all have been asked; when it is healed they come back."""
    before = fleet.traces()
    host.exec("guestctl drain --yes", check=True)
    fleet.wait_traces({name: trace + "A" for name, trace in before.items()})
    host.exec(fault, check=True)
    fleet.wait_traces({name: trace + "AD" for name, trace in before.items()})
    host.exec(f"{ANSWERS}; guestctl wait", timeout=60)
    expect(not outside.qemus(host), f"{what}: left: {outside.qemus(host)}")
    expect(outcomes(host, "drain") == dict.fromkeys(fleet.names, "shut-down"), f"{what}")
    host.exec(heal, check=True)
    host.exec("guestctl boot --wait", timeout=60, check=True)
    fleet.wait_traces({name: trace + "ADU" for name, trace in before.items()})
    expect(outside.qemus(host) == dict.fromkeys(fleet.names, 1), f"{what}: {outside.qemus(host)}")
    print(f"{what}: drained and back")


def started(host):
    """`systemctl start` returns when guestd can be called. A bus that hangs is waited for neither
    then nor at the end."""
    for _ in range(10):
        host.exec("systemctl restart guestd && guestctl status", check=True)
    host.exec("systemctl stop guestd && pkill -STOP dbus-daemon", check=True)
    host.exec("timeout 20 systemctl start guestd && systemctl is-active guestd", check=True)
    host.exec("timeout 20 systemctl restart guestd && systemctl is-active guestd", check=True)
    host.exec(f"pkill -CONT dbus-daemon && {ANSWERS}", check=True)
    print("started: can be called at once; a bus that hangs is not waited for")


def bus_gone_while_the_host_goes_down(host, fleet):
    """libvirtd ends with the bus, and may not be started any more."""
    before = fleet.traces()
    host.request("poweroff")
    fleet.wait_traces({name: trace + "A*" for name, trace in before.items()})
    host.exec("pkill -KILL dbus-daemon", check=True)
    host.wait_down()
    after = fleet.traces()
    expect(after == {name: trace + "AD" for name, trace in before.items()}, f"without a bus: {after}")
    host.boot()
    host.exec(f"{ANSWERS}; guestctl wait", timeout=60)
    fleet.wait_traces({name: trace + "U" for name, trace in after.items()})
    print("bus gone while the host goes down: all asked, all back")


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet.of(host, 3, delay=1).define().start()

    life, running = outside.main_pid(host), outside.processes(host)
    host.exec(f"systemctl restart dbus; {ANSWERS}", check=True)
    expect(outside.processes(host) == running, "a restart of the bus touched guests")
    stopped(host, fleet, "dbus-daemon restarted in mid-drain", "systemctl restart dbus")
    stopped(host, fleet, "journald stopped", f"systemctl stop {JOURNAL}", f"systemctl start {JOURNAL}")
    stopped(host, fleet, "journald hangs, its queue full", FILL,
            "systemctl kill --kill-whom=main -s CONT systemd-journald")
    expect(outside.main_pid(host) == life, "guestd did not live through it in one life")

    started(host)
    bus_gone_while_the_host_goes_down(host, fleet)
