# SPDX-License-Identifier: LGPL-2.1-or-later
"""A broken configuration is refused with place, value and what is allowed; the service protects
the guests all the same, on the last good one, and says that it is degraded. One that is good but
means a guest that nobody has is told, too."""

from support import Fleet, expect

from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

GOOD = """
[shutdown]
stop = ["save 1min", "destroy"]
"""
SLIP = '\n[[guest]]\nname = "vm-1"\ntier = "critical"\n'
FILE = "/etc/guestd/guestd.toml"
BROKEN = {
    "unknown key": ('[boot]\nmax_paralel = 3\n', ":2:1:", "max_parallel"),
    "wrong type": ('[boot]\nmax_parallel = "three"\n', ":2:16:", "three"),
    "bad time span": ('[shutdown]\ndeadline = "5 parsecs"\n', ":2:12:", "parsecs"),
    "cycle": ('[[guest]]\nname = "a"\nafter = ["b"]\n[[guest]]\nname = "b"\nafter = ["a"]\n',
              "guestd.toml:", "a"),
}


def run(context):
    host = context.managed_host()
    host.put_file(FILE, GOOD)
    host.exec("systemctl restart guestd && guestd --check-config", check=True)
    fleet = Fleet.of(host, 2).define().start()

    host.put_file(FILE, GOOD + SLIP)
    host.exec("systemctl reload guestd", check=True)
    for command in ("guestctl status", "journalctl -b -o cat -u guestd -n 5"):
        said = " ".join(host.exec(command).out.split())
        expect("vm-1" in said and "matches no guest" in said, f"{command} does not tell: {said}")
    Fleet(host, [Guest("vm-1")]).define()
    host.exec("timeout 10 bash -c 'while guestctl status | grep -q \"no guest\"; do sleep 0.1; done'",
              check=True)
    host.exec("virsh undefine vm-1 && timeout 10 bash -c "
              "'until guestctl status | grep -q \"no guest\"; do sleep 0.1; done'", check=True)
    host.put_file(FILE, GOOD)
    host.exec("systemctl reload guestd", check=True)
    expect("no guest" not in host.out("guestctl status"), "told after it was mended")

    for what, (text, place, word) in BROKEN.items():
        host.put_file(FILE, text)
        code, said = host.exec("guestd --check-config")
        expect(code == 1 and place in said and word in said, f"{what}: {code}, {said}")
        code, said = host.exec("systemctl reload guestd; guestctl status")
        expect(code == 0, f"{what}: after the refused reload: {said}")
        told = host.journal("-u", "guestd", "-o", "cat", "-n", "5")
        expect(place in told, f"{what}: the journal does not say where: {told}")
    host.exec("systemctl restart guestd", check=True)
    for command in ("guestctl status", "systemctl status guestd"):
        said = host.exec(command).out
        expect("last good" in said, f"{command} does not say that guestd is degraded: {said}")

    host.poweroff()
    expect(set(fleet.traces().values()) == {"U"},
           f"the last good configuration says save: {fleet.traces()}")
    host.boot()
    fleet.wait_traces("U", timeout=30)
    expect(host.exec("guestctl wait", timeout=60).rc == 0, "the boot run was not clean")
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
