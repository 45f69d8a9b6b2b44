# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests in every odd state that real QEMU can be brought into, each with its rule.

transient   asked; deaf: destroyed, never saved; at boot reported as gone
paused      saved as it is, and paused again at boot; with paused = "resume" woken up and asked
crashed     (preserved for its owner to look at) destroyed, without waiting for an answer
I/O error   paused by libvirt: saved like any paused guest, and paused again at boot
asleep      (S3) woken up first, then asked, again and again, because it boots meanwhile
restarts    on_poweroff = restart: it obeys and is there again, ends by a later step of its ladder
no ACPI     cannot hear the button: a later step of its ladder
names       spaces, quotes, markup, shell, 200 characters: only names
newcomer    started by somebody else during the drain: drained too
undefined   during the drain: it is transient from then on, and is asked and waited for all the same
"""

from support import Fleet, configure, expect, newest_run, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 2s", "save 1min", "destroy"]
[[guest]]
name = "resumed"
shutdown.paused = "resume"
[[guest]]
name = ["asleep", "newcomer"]
shutdown.stop = ["shutdown 1min", "destroy"]
shutdown.resend = "300ms"
[[guest]]
name = "slow*"
shutdown.stop = ["shutdown 1min", "destroy"]
"""
FULL_DISK = """<disk type='file' device='disk'>
  <driver name='qemu' type='raw' error_policy='stop'/>
  <source file='/mnt/full/disk.img'/><target dev='hda' bus='ide'/></disk>"""
# The guest's first page is there; writing the last sector of its first track takes another.
FILL_DISK = """mkdir -p /mnt/full && mount -t tmpfs -o size=64k,mode=777 full /mnt/full &&
cp /var/lib/guestd-test/ioerror.img /mnt/full/disk.img && truncate -s 1M /mnt/full/disk.img &&
chmod 666 /mnt/full/disk.img; cat /dev/zero 2>/dev/null >/mnt/full/rest; df /mnt/full"""
PANIC = "<panic model='isa'/>"
NAMES = ["two words", """it's "quoted" <b>&amp;\\""", "$(reboot);`reboot`", "--help", "n" * 200]

# guest: (state before, what its trace grows by, outcome, outcome at boot, state after that unless
# it boots anew, and is on its way into its state)
ODD = {
    "passing": ("running", "AD", "shut-down", "gone", ""),
    "deafpassing": ("running", "A*", "destroyed", "gone", ""),
    "halted": ("paused", "", "saved", "restored", "paused"),
    "resumed": ("paused", "AD", "shut-down", "started", ""),
    "crashed": ("crashed", "", "destroyed", "started", ""),
    "ioerror": ("paused", "", "saved", "restored", "paused"),
    "asleep": ("pmsuspended", "UAD", "shut-down", "started", ""),
    "restarts": ("running", "ADU", "saved", "restored", "running"),
    "noacpi": ("running", "", "saved", "restored", "running"),
    **dict.fromkeys(NAMES, ("running", "AD", "shut-down", "started", "")),
}


def guests():
    return [Guest("passing", persistent=False), Guest("deafpassing", persistent=False, deaf=True),
            Guest("halted"), Guest("resumed"),
            Guest("crashed", once_up="panic", on_crash="preserve", extra_devices=PANIC),
            Guest("ioerror", once_up="write", disk=FULL_DISK), Guest("asleep", once_up="sleep"),
            Guest("restarts", on_poweroff="restart"), Guest("noacpi", acpi=False),
            *map(Guest, NAMES)]


def differences(found, column):
    """{guest: (found, wanted)} where they differ; "A*" wants at least one A."""
    wanted = {name: row[column] for name, row in ODD.items()}
    return {name: (found.get(name), want) for name, want in wanted.items()
            if found.get(name) != want and not (want == "A*" and set(found.get(name, "")) == {"A"})}


def one_of_each(host):
    fleet = Fleet(host, guests()).define()
    host.exec(FILL_DISK)
    fleet.start()
    host.exec("virsh suspend halted; virsh suspend resumed; timeout 20 bash -c "
              "'until [ \"$(virsh domstate asleep)\" = pmsuspended ] && "
              "[ \"$(virsh domstate ioerror)\" = paused ]; do sleep 0.05; done'", check=True)
    wrong = differences(fleet.states(), 0)
    expect(not wrong, f"the test could not make these states: {wrong}")

    before = fleet.traces()
    host.exec("guestctl drain --yes --wait", timeout=120)
    grown = {name: trace[len(before[name]):] for name, trace in fleet.traces().items()}
    came_out = outcomes(host, "drain")
    wrong = differences(came_out, 2)
    expect(not wrong, f"outcomes (is, should be): {wrong}\n{newest_run(host, 'drain')}")
    wrong = differences(grown, 1)
    expect(not wrong, f"traces (is, should be): {wrong}")
    expect(sorted(came_out) == sorted(ODD), f"others took part: {sorted(came_out)}")
    left = host.out("virsh list --name")
    expect(not left, f"the run has ended, still active: {left}")

    host.exec("guestctl boot --wait", timeout=60)
    wrong = differences(outcomes(host, "boot"), 3)
    expect(not wrong, f"outcomes of the boot (is, should be): {wrong}")
    return fleet


def changing_underneath(host):
    """Somebody starts a guest and undefines another while the drain runs."""
    host.exec("for uuid in $(virsh list --uuid); do virsh destroy $uuid; done")
    fleet = Fleet(host, [Guest("slow1", delay=4), Guest("slow2", delay=4)]).define().start()
    newcomer = Fleet(host, [Guest("newcomer")]).define()
    draining = host.spawn("guestctl drain --yes --wait")
    fleet.wait_traces("UA")
    host.exec("virsh undefine slow2", check=True)
    newcomer.start(wait_up=False)
    result = draining.wait(60)
    expect(result.rc == 0, f"the drain was not clean: {result.out}")
    expect(set(fleet.traces().values()) == {"UAD"}, f"not all obeyed: {fleet.traces()}")
    # It may have been pressed before it listened, and once more later.
    expect(newcomer.traces()["newcomer"] == "UAD", f"the newcomer: {newcomer.traces()}")
    came_out = outcomes(host, "drain")
    expect(came_out == dict.fromkeys(("slow1", "slow2", "newcomer"), "shut-down"),
           f"outcomes with changes underneath: {came_out}")
    host.exec("guestctl boot --wait", timeout=60)
    came_back = outcomes(host, "boot")
    expect(came_back["slow1"] == came_back["newcomer"] == "started"
           and came_back["slow2"] == "gone", f"after changes underneath: {came_back}")


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = one_of_each(host)
    states = fleet.states()
    for name, row in ODD.items():
        expect(row[4] in ("", states[name]), f"{name} should be {row[4]} again: {states}")
    changing_underneath(host)
