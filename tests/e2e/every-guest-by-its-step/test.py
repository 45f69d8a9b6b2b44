# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seven guests of every kind: each ends by the right step of its ladder, and comes back as it was.

Two obey at once, one takes five seconds, one is deaf to the power button, one is paused, one is
transient; one is off and flagged autostart. Power off, boot, reboot with "save" as the only step.
"""

from support import Fleet, expect, outcomes
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)
TIMEOUT = 420

CONFIG = """
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 60s", "save 60s", "destroy"]
[shutdown.on.reboot]
stop = ["save 1min"]
[[guest]]
name = "deaf"
shutdown.stop = ["shutdown 3s", "save 60s", "destroy"]
shutdown.on.reboot.stop = ["save 1min"]
"""
RAN = ["quick1", "quick2", "slow", "deaf", "halted"]  # and "passing", which is transient


def boot_run_over(host):
    # 4: the run ended, not clean: a guest of the list cannot come back.
    code, text = host.exec("guestctl wait", timeout=120)
    expect(code in (0, 4), f"guestctl wait: {code}, {text}")


def unit_result(host):
    """Result and exit code of the service in the boot before this one."""
    journal = host.journal("-u", "guestd", "-b", "-1", "-o", "cat")
    expect("Failed with result" not in journal, f"the unit failed:\n{journal}")
    expect("Killing process" not in journal, f"systemd killed:\n{journal}")



def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.exec("systemctl restart guestd", check=True)
    boot_run_over(host)
    fleet = Fleet(host, [Guest("quick1"), Guest("quick2"), Guest("slow", delay=5),
                         Guest("deaf", deaf=True), Guest("halted"),
                         Guest("passing", persistent=False)]).define().start()
    auto = Fleet(host, [Guest("auto", autostart=True)]).define()
    host.exec("virsh suspend halted", check=True)

    # Power off: who can obey obeys, deaf and paused are saved, and nobody is killed.
    host.poweroff(timeout=120)
    traces = fleet.traces()
    for name in ("quick1", "quick2", "slow", "passing"):
        expect(traces[name] == "UAD", f"{name} did not obey: {traces}")
    expect(set(traces["deaf"]) == set("UA"), f"deaf was not asked: {traces}")
    expect(traces["halted"] == "U", f"a paused guest cannot be asked: {traces}")

    host.boot()
    boot_run_over(host)
    unit_result(host)
    states = fleet.states()
    for name in RAN:
        want = "paused" if name == "halted" else "running"
        expect(states[name] == want, f"{name} should be {want}: {states}")
    expect(states["passing"] == "undefined", f"a transient guest cannot come back: {states}")
    expect(auto.states()["auto"] == "running", "the autostart guest was not started")
    drained, booted = outcomes(host, "drain"), outcomes(host, "boot")
    expect(drained == {"quick1": "shut-down", "quick2": "shut-down", "slow": "shut-down",
                       "passing": "shut-down", "deaf": "saved", "halted": "saved"},
           f"outcomes of the drain: {drained}")
    expect(booted == {"quick1": "started", "quick2": "started", "slow": "started",
                      "deaf": "restored", "halted": "restored", "auto": "started",
                      "passing": "gone"}, f"outcomes of the boot: {booted}")
    expect(fleet.traces()["deaf"] == traces["deaf"], "deaf was booted, not restored")

    # Reboot: everything is saved and restored; no guest notices.
    auto.wait_traces("U")
    before = {**fleet.traces(), **auto.traces()}
    host.reboot()
    boot_run_over(host)
    unit_result(host)
    everyone = RAN + ["auto"]
    drained, booted = outcomes(host, "drain"), outcomes(host, "boot")
    expect(drained == dict.fromkeys(everyone, "saved"), f"outcomes of the reboot: {drained}")
    expect(booted == dict.fromkeys(everyone, "restored"), f"outcomes after it: {booted}")
    expect({**fleet.traces(), **auto.traces()} == before, "a guest noticed the reboot")
    told = host.journal("-u", "guestd", "-b", "GUESTD_OUTCOME=restored", "-o", "cat")
    for name in everyone:
        expect(f"{name}: restored" in told, f"the journal does not say so of {name}:\n{told}")
    expect(fleet.states()["halted"] == "paused", "the paused guest came back running")
