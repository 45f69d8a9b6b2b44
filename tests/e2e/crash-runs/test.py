# SPDX-License-Identifier: LGPL-2.1-or-later
"""guestd is killed (SIGKILL) in the middle of drains and boots of real guests: at every single point
at which it writes to the disk, and at random instants; systemd starts it again.

After each: no guest is lost, none is started or asked to stop by two lives needlessly, who depends
on whom is kept, the resume list is right. Killed again and again, a drain ends by the deadline that it began
with; hung (SIGSTOP), guestd is killed by systemd's watchdog, and its next life goes on.

GUESTD_KILLS says at how many random instants; GUESTD_SEED makes them the same again.
"""

import os
import random

import observe
import outside
from hosts.fleet import IMAGES
from support import Fleet, configure, expect
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)
TIMEOUT = 3600

KILLS = int(os.environ.get("GUESTD_KILLS", "6"))
SEED = int(os.environ.get("GUESTD_SEED", "0")) or random.randrange(1, 1 << 30)
DEADLINE = 60
STEP = 12  # seconds, of a guest that never obeys
MACHINE = 4  # seconds that a busy machine may take to end a guest, and to tell
CONFIG = f"""
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 40s", "destroy"]
deadline = "{DEADLINE}s"
[[guest]]
name = "deaf"
shutdown.stop = ["shutdown {STEP}s", "destroy"]
shutdown.resend = "2s"
[[guest]]
name = "web"
requires = ["db"]
[[guest]]
name = "kept"
shutdown.stop = ["save 40s", "destroy"]
"""
IMAGE = f"{IMAGES}/kept.save"
# SIGKILL instead of the Nth fdatasync(): what is written before it is durable, what follows is not.
AT_SYNC = """pid=$(systemctl show -P MainPID guestd)
task=$(grep -lx store /proc/$pid/task/*/comm); tid=$(basename ${{task%/comm}})
systemd-run --quiet --collect --unit=killer strace -qq -p $tid -o /dev/null \\
    -e trace=fdatasync -e inject=fdatasync:signal=KILL:when={point}
until grep -q 'TracerPid:.*[1-9]' /proc/$tid/status; do sleep 0.01; done
guestctl {verb}; true"""
AFTER = """pid=$(systemctl show -P MainPID guestd)
guestctl {verb}; sleep {seconds:.3f}; kill -KILL $pid; true"""

# The unit's own times are 30 s each, which a test need not wait for.
IMPATIENT = "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n"


class Matrix:
    """A host, its guests, and what is expected of each drain and boot."""

    def __init__(self, host):
        self.host = host
        self.fleet = Fleet(host, [Guest(name) for name in ("db", "web", "alone", "kept")])
        self.kills = 0

    def interrupted(self, verb, kill):
        """Carries out one run, which is killed somewhere. Returns whether it was."""
        pid, before = outside.main_pid(self.host), outside.runs(self.host)[-1][0]
        self.host.exec(kill(verb), check=True)
        killed = self.is_over(pid)
        if outside.runs(self.host)[-1][0] == before:
            expect(killed, f"nobody was killed, and {verb} made no run")
            self.host.exec(f"guestctl {verb} --wait", timeout=90, check=True)  # died before it said yes
        self.kills += killed
        return killed

    def is_over(self, pid):
        """Waits for the run's end; the life that ends it may die right after. Was `pid` killed?"""
        outside.settled(self.host)
        self.host.exec("systemctl stop killer 2>/dev/null; true")
        outside.settled(self.host)
        return outside.main_pid(self.host) != pid

    def drained(self, kill):
        before, mark = self.fleet.traces(), len(observe.events(self.host, "Shutdown"))
        killed = self.interrupted("drain --yes", kill)
        for name, trace in self.fleet.traces().items():
            new = trace.removeprefix(before[name])
            expect(new == ("" if name == "kept" else "AD"), f"{name} has traced {new}; {self.tell()}")
        expect(not outside.qemus(self.host), f"left: {outside.qemus(self.host)}")
        expect(self.host.exec(f"test -s {IMAGE}").rc == 0, f"kept was not saved; {self.tell()}")
        expect(outside.resume_list(self.host) == sorted(self.fleet.names),
               f"the list has {outside.resume_list(self.host)}; {self.tell()}")
        expect(outside.runs(self.host)[-1][1:] == ("drain", "finished", DEADLINE),
               f"runs: {outside.runs(self.host)[-3:]}")
        downs = [name for _, name in observe.events(self.host, "Shutdown")[mark:]]
        expect(downs.index("web") < downs.index("db"), f"db went before web: {downs}")
        return killed

    def booted(self, kill):
        before, mark = self.fleet.traces(), len(observe.events(self.host, "Started"))
        killed = self.interrupted("boot", kill)
        self.fleet.wait_traces({name: trace + ("" if name == "kept" else "U")
                                for name, trace in before.items()})
        expect(outside.qemus(self.host) == dict.fromkeys(self.fleet.names, 1),
               f"processes: {outside.qemus(self.host)}; {self.tell()}")
        ups = [name for _, name in observe.events(self.host, "Started")[mark:]]
        expect(sorted(ups) == sorted(self.fleet.names), f"started: {ups}; {self.tell()}")
        expect(ups.index("db") < ups.index("web"), f"web came before db: {ups}")
        expect(not outside.resume_list(self.host),
               f"still on the list: {outside.resume_list(self.host)}; {self.tell()}")
        return killed

    def tell(self):
        return self.host.journal("-u", "guestd", "-n", "40", "-o", "short-precise")


def every_point(matrix):
    """Every fdatasync() of a drain and of a boot, until both get through undisturbed."""
    point, killed = 0, True
    while killed:
        point += 1
        def kill(verb):
            return AT_SYNC.format(verb=verb, point=point)
        killed = matrix.drained(kill)
        killed = matrix.booted(kill) or killed
    expect(point > 5, f"a run with {point - 1} stored points proves nothing")
    print(f"killed at {matrix.kills} stored points")


def random_instants(matrix):
    """Every other kill strikes a drain, every other one a boot; the last one leaves all down."""
    chance = random.Random(SEED)
    for kill in range(KILLS):
        if kill % 2 == 0:
            matrix.drained(lambda verb: AFTER.format(verb=verb, seconds=chance.uniform(0, 0.6)))
        else:
            matrix.booted(lambda verb: AFTER.format(verb=verb, seconds=chance.uniform(0, 1.2)))
    if KILLS % 2:
        matrix.booted(lambda verb: f"guestctl {verb}")
    print(f"killed at {KILLS} random instants (GUESTD_SEED={SEED})")


def end_of_deaf(host, fault):
    """Drains a guest that never obeys; `fault` may wait until it has been asked so many times.
    Returns after how many seconds libvirt saw its end."""
    deaf = Fleet(host, [Guest("deaf", deaf=True)])
    before = deaf.traces()["deaf"]
    begun = float(host.out("date +%s.%N; guestctl drain --yes deaf >/dev/null"))
    fault(lambda times: deaf.wait_traces(before + "A" * times + "*"))
    outside.settled(host)
    expect("deaf" not in outside.qemus(host), f"left: {outside.qemus(host)}")
    expect(outside.runs(host)[-1][1:] == ("drain", "finished", DEADLINE), f"{outside.runs(host)[-1]}")
    return [at for at, name in observe.events(host, "Stopped") if name == "deaf"][-1] - begun


def killed_again_and_again(host):
    """By each of three lives it is asked anew, and again 2 s later. What counts is when the first one
    asked: a step that began anew in each life would end 6 s later at least."""
    def fault(wait_asked):
        for life in range(3):
            wait_asked(2 * (life + 1))
            host.exec("systemctl kill -s KILL guestd", check=True)
    took = end_of_deaf(host, fault)
    expect(took <= STEP + MACHINE, f"killed three times, a step of {STEP} s ended after {took:.1f} s")
    print(f"killed three times, the step of {STEP} s ended after {took:.1f} s")


def hung(host):
    host.put_file("/etc/systemd/system/guestd.service.d/hung.conf", IMPATIENT)
    host.exec("systemctl daemon-reload && systemctl restart guestd", check=True)
    outside.settled(host)
    pid = outside.main_pid(host)

    def fault(wait_asked):
        wait_asked(3)
        host.exec("systemctl kill -s STOP guestd", check=True)
        observe.eventually(lambda: outside.main_pid(host) not in (0, pid), lambda: "it still hangs")
    took = end_of_deaf(host, fault)
    expect(took <= STEP + MACHINE, f"hung, a step of {STEP} s ended after {took:.1f} s")
    expect("watchdog" in host.journal("-u", "guestd").lower(), "it was not the watchdog")
    print(f"hung until the watchdog killed it: the step of {STEP} s ended after {took:.1f} s")


def run(context):
    host = context.host(extras=("strace",))
    host.boot()
    context.manager.install(host)
    configure(host, CONFIG)
    observe.begin(host)
    matrix = Matrix(host)
    matrix.fleet.define().start()
    observe.wait_known(matrix.fleet)
    every_point(matrix)
    random_instants(matrix)

    deaf = Fleet(host, [Guest("deaf", deaf=True)]).define().start()
    observe.wait_known(deaf)
    killed_again_and_again(host)
    deaf.start()
    hung(host)
