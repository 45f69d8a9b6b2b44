# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every way of knowing that a guest has booted, each with a guest that takes its time.

agent       a real agent; its channel is open some seconds before it answers
tcp         a real listener over a libvirt network; the guest's address is found by its lease
address     a guest that asks for its address late
exec        a program of the host that succeeds at its third call; one that anybody could have
            written is never run
io-settle   a guest that reads its disk for ten seconds and then rests; one that never rests: the
            cap. Also what `agent` becomes for a guest without one

A guest traces 'U' right before it begins to serve, so its trace tells whether it was called ready
too early. Two that never are: one goes on, the other has failed, and who requires it does not start.
"""

import observe
from hosts import linux_guest
from support import Fleet, configure, expect, held, newest_run
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

LATE = 5  # seconds that the Linux guests make everybody wait
READS = 10  # seconds that a guest reads its disk
CALLS = 3  # that the program takes
PROGRAM = "/usr/lib/guestd-test/third-time"
UNSAFE = "/srv/anybody/yes"
CALLED = "/run/guestd/called"  # one of the few places that guestd's sandbox lets it write to
RAN = "/run/guestd/unsafe"
COUNTING = f"""#!/bin/sh
echo "$GUEST_NAME $GUEST_UUID $GUEST_URI" >>{CALLED}
[ "$(wc -l <{CALLED})" -ge {CALLS} ]
"""
NETWORK = """<network><name>lan</name><bridge name='virbr5' stp='off' delay='0'/>
  <ip address='192.168.55.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.55.10' end='192.168.55.99'/></dhcp></ip></network>"""
PREPARE = f"""virsh net-define /root/lan.xml && virsh net-start lan && chmod 777 /srv/anybody"""
CONFIG = f"""
[boot]
max_parallel = 0
ready_timeout = "90s"
[[guest]]
name = ["answers", "plain"]
start.ready = "agent"
[[guest]]
name = "listens"
start.ready = "tcp:7777"
[[guest]]
name = "addressed"
start.ready = "address"
[[guest]]
name = "counted"
start.ready = ["running", "exec:{PROGRAM}"]
[[guest]]
name = ["settles", "restless", "hopeless"]
start.ready = "io-settle:128KiB:2s"
[[guest]]
name = "untrusted"
start.ready = "exec:{UNSAFE}"
[[guest]]
name = ["restless", "untrusted"]
start.ready_timeout = "6s"
[[guest]]
name = "hopeless"
start.ready_timeout = "6s"
start.on_ready_timeout = "fail"
[[guest]]
name = "dependent"
start.ready = "running"
requires = ["hopeless"]
"""
SERVE_LATE = ("answers", "listens", "addressed", "settles", "plain")


def guests():
    linux = linux_guest.options
    return [Guest("answers", **linux("late", late=LATE)),
            Guest("listens", **linux("none", "lan", net="early", listen=7777, late=LATE)),
            Guest("addressed", **linux("none", "lan", net="late", late=LATE)),
            Guest("settles", reads=True, late=READS), Guest("plain", reads=True, late=READS),
            Guest("restless", reads=True, late=1000), Guest("hopeless", reads=True, late=1000),
            Guest("dependent"), Guest("counted"), Guest("untrusted")]


def check_ready(host, fleet, told):
    """Each that serves late was ready after it had begun to, and not because its time was up."""
    offset, up = observe.clock(host), observe.traced(fleet)
    after = {name: told[name]["ended_usec"] / 1e6 + offset - up[name] for name in SERVE_LATE}
    print("ready after it served: " + ", ".join(f"{name} {seconds:.1f} s"
                                                for name, seconds in after.items()))
    for name in SERVE_LATE:
        expect(told[name]["outcome"] == "started" and not told[name].get("cause"),
               f"{name}: {told[name]}")
        expect(after[name] >= 0, f"{name} was called ready {-after[name]:.2f} s too early")


def check_programs(host, fleet, told):
    calls = host.out(f"cat {CALLED}").splitlines()
    uuid = {guest.name: guest.uuid for guest in fleet.guests}["counted"]
    expect(calls == [f"counted {uuid} qemu:///system"] * CALLS, f"the program was called: {calls}")
    expect(told["counted"]["outcome"] == "started" and not told["counted"].get("cause"),
           f"counted: {told['counted']}")
    expect(host.exec(f"test -e {RAN}").rc != 0, "a program that anybody can write was run")
    expect(UNSAFE in told["untrusted"]["cause"], f"untrusted: {told['untrusted']}")


def check_never_ready(fleet, told):
    for name in ("restless", "hopeless"):
        expect("not ready within 6s" in told[name]["cause"] and "io-settle" in told[name]["cause"],
               f"{name}: {told[name]}")
    expect(told["restless"]["outcome"] == "started", f"restless: {told['restless']}")
    expect(told["hopeless"]["outcome"] == "failed", f"hopeless: {told['hopeless']}")
    expect(told["dependent"]["outcome"] == "failed" and "hopeless" in told["dependent"]["cause"],
           f"dependent: {told['dependent']}")
    expect(fleet.states()["dependent"] == "shut off", "a guest runs without what it requires")


def run(context):
    host = context.managed_host()
    linux_guest.install(host)
    host.put_file("/root/lan.xml", NETWORK)
    host.put_file(PROGRAM, COUNTING, mode=0o755)
    host.put_file(UNSAFE, f"#!/bin/sh\ntouch {RAN}\n", mode=0o755)
    host.exec(PREPARE, check=True)
    configure(host, CONFIG, network=True)
    fleet = Fleet(host, guests()).define()
    observe.wait_known(fleet)
    host.exec("guestctl boot '*'", check=True)
    observe.eventually(lambda: "agent" in held(host).get("answers", "")
                       and "KiB/s" in held(host).get("settles", ""),
                       lambda: f"told meanwhile: {held(host)}")
    host.exec("guestctl wait", timeout=150)
    _, told = newest_run(host, "boot")
    check_ready(host, fleet, told)
    check_programs(host, fleet, told)
    check_never_ready(fleet, told)
    expect("io-settle" in host.journal("-u", "guestd", "-o", "cat"),
           "nobody said that a guest without an agent is judged by its disk")
