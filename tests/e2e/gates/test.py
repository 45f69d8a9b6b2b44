# SPDX-License-Identifier: LGPL-2.1-or-later
"""Five guests that each need something else of the host, and two that need nothing.

The two start at once. The others are held, and `list` and `status` say for what. Then the gates are
opened one after the other: each time exactly the guest that needs it starts, and nobody else.
"""

from observe import eventually, wait_known
from support import Fleet, configure, expect, held, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

UNIT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
NETWORK = "<network><name>lan</name><bridge name='virbr7'/></network>"
PREPARE = """mkdir -p /srv/late /srv/pool && systemctl daemon-reload &&
virsh pool-define-as disks dir --target /srv/pool && virsh net-define /root/lan.xml"""
# guest: (what it needs, how that comes)
GATES = {
    "pooled": ("pool:disks", "virsh pool-start disks"),
    "mounted": ("mount:/srv/late", "mount -t tmpfs late /srv/late"),
    "ordered": ("unit:late.service", "systemctl start late.service"),
    "found": ("path:/srv/made/later/flag", "mkdir -p /srv/made/later; touch /srv/made/later/flag"),
    "wired": ("network:lan", "virsh net-start lan"),
}
FREE = ["free1", "free2"]
CONFIG = """
[boot]
ready = "running"
max_parallel = 1
""" + "".join(f"""
[[guest]]
name = "{name}"
start.needs = ["{need}"]
""" for name, (need, _) in GATES.items())


def check_told(host, closed):
    """Each of `closed` is held for its own gate; nobody else is held."""
    def told():
        reasons = held(host)
        return set(reasons) == set(closed) and all(
            GATES[name][0].partition(":")[2] in reason for name, reason in reasons.items())
    eventually(told, lambda: f"closed: {closed}; held: {held(host)}")


def run(context):
    host = context.managed_host()
    host.put_files({"/etc/systemd/system/late.service": UNIT, "/root/lan.xml": NETWORK})
    host.exec(PREPARE, check=True)
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest(name) for name in [*GATES, *FREE]]).define()
    wait_known(fleet)
    host.exec("guestctl boot '*'", check=True)

    free = Fleet(host, [Guest(name) for name in FREE])
    free.wait_traces("U")
    closed = list(GATES)
    check_told(host, closed)
    text = host.out("guestctl status")
    for name, (need, _) in GATES.items():
        line = next((line for line in text.splitlines() if name in line), "")
        expect(need.partition(":")[2] in line, f"status does not say what {name} needs:\n{text}")

    for name, (need, opening) in GATES.items():
        states = fleet.states()
        expect(all(states[other] == "shut off" for other in closed),
               f"{closed} should still be held: {states}")
        host.exec(opening, check=True)
        Fleet(host, [Guest(name)]).wait_traces("U")
        closed.remove(name)
        if closed:
            check_told(host, closed)
    host.exec("guestctl wait", timeout=60, check=True)
    expect(outcomes(host, "boot") == dict.fromkeys(fleet.names, "started"),
           f"outcomes: {outcomes(host, 'boot')}")
    expect(set(fleet.traces().values()) == {"U"}, f"started more than once: {fleet.traces()}")
