# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a round does to the world, and what must hold after it.

A guest that the round itself has touched from outside during a run may end either way; for all
others the rules are sharp: a drain stops each running guest and remembers it; a boot run brings
back what is remembered or flagged, each started once, and nobody else; a cancelled drain brings
back what it stopped. Each ends as its ladder says, so guestd's own account is held against the
ladders too: everybody destroyed is also everybody down. At the end of every round guestd's picture
is libvirt's.
"""

import uuid

from observer import defined, figures, flagged, paused, running, transient
from world import FAILURE

# How a running guest of each kind leaves, by the ladders of world.CONFIG: the first step does it,
# for guests of the test driver obey at once.
LADDERS = {"db": "shut-down", "app": "shut-down", "save": "saved", "kill": "destroyed",
           "web": "shut-down"}
KINDS = tuple(LADDERS)
XML = ("<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory>"
       "<os><type>hvm</type></os></domain>")


def expect_same(what, seen, wanted):
    if seen != wanted:
        raise AssertionError(f"{what}: too much {sorted(seen - wanted)[:8]}, "
                             f"missing {sorted(wanted - seen)[:8]}")


class Before:
    """libvirt's word on who runs, and how, before a run."""

    def __init__(self, world):
        self.running, self.paused, self.transient = running(world), paused(world), transient(world)
        self.defined = defined(world)

    def drained(self, names):
        """How these end in a drain, for they run."""
        return {name: self._drained(name) for name in names}

    def _drained(self, name):
        if name in self.transient:
            return "shut-down"  # never saved, and worth being asked; woken up for it
        outcome = LADDERS[name.split("-")[0]]
        return "saved" if name in self.paused and outcome != "destroyed" else outcome

    def booted(self, names):
        """How these end in a boot run; the test driver boots also what it has saved."""
        return {name: "already-running" if name in self.running else
                "started" if name in self.defined else "gone" for name in names}


class Rounds:
    def __init__(self, world, observer, chance, guests):
        self.world, self.observer, self.chance = world, observer, chance
        self.operations = 0
        self.ahead = ["glob", "storm", "churn", "libvirtd killed", "drain and boot"]
        self.names = [f"{KINDS[n % len(KINDS)]}-{n}" for n in range(guests)]
        self.files = {}
        for name in self.names:
            file = world.folder / f"{name}.xml"
            file.write_text(XML.format(name=name, uuid=uuid.uuid5(uuid.NAMESPACE_DNS, name)))
            self.files[name] = file
        self.populate()

    # The world, from outside.

    def virsh(self, commands):
        self.operations += len(commands)
        self.world.virsh(*commands, may_fail=True)

    def populate(self):
        commands = [f"define {self.files[name]}" for name in self.names]
        for name in self.chance.sample(self.names, len(self.names) // 2):
            commands += [f"autostart {name}", f"define {self.files[name]}"]
        for name in self.chance.sample(self.names, len(self.names) * 2 // 3):
            commands.append(f"start {name}")
        self.virsh(commands)
        self.settle()

    def churn(self, most):
        """Random changes to some guests; who they were."""
        touched = self.chance.sample(self.names, self.chance.randint(1, most))
        commands = []
        for name in touched:
            commands += self.chance.choice([
                [f"start {name}"], [f"destroy {name}"], [f"shutdown {name}"],
                [f"destroy {name}", f"managedsave-remove {name}", f"undefine {name}"],
                [f"define {self.files[name]}"], [f"define {self.files[name]}", f"start {name}"],
                # libvirt tells nobody of a flag by itself, but of a definition.
                [f"autostart {name}", f"define {self.files[name]}"],
                [f"autostart --disable {name}", f"define {self.files[name]}"],
                [f"suspend {name}"], [f"resume {name}"], [f"destroy {name}", f"start {name}"]])
        self.virsh(commands)
        return set(touched)

    # guestd's picture.

    def told(self):
        """Names of the defined, the active and the flagged guests."""
        guests = [guest for guest in self.world.ctl("list")
                  if guest["state"] != "absent" and guest["name"] != "sentinel"]
        return ({guest["name"] for guest in guests},
                {guest["name"] for guest in guests if guest["state"] not in ("shut off", "crashed")},
                {guest["name"] for guest in guests if guest.get("autostart")})

    def listed(self, transient=True):
        return {entry["name"] for entry in self.world.ctl("resume-list")
                if transient or not entry.get("transient")}

    def settle(self):
        """Until guestd's picture is libvirt's."""
        def truth():
            return defined(self.world), running(self.world), flagged(self.world)
        self.world.eventually(lambda: self.told() == truth(), lambda: "guestd's picture is " + str(
            [(told - true, true - told) for told, true in zip(self.told(), truth())]) +
            " (too much, missing: defined, active, flagged) away from libvirt's")

    def begin(self, *command):
        """The number of a run that is not waited for."""
        self.operations += 1
        return self.world.ctl(*command)["run"]

    def finish(self):
        """Until no run is active."""
        self.world.eventually(lambda: not self.world.ctl("status").get("active_run"),
                              "the end of the run")
        self.observer.sync()

    def outcomes(self, run):
        """{guest: how it came out}, as guestd has written it down; and how the run ended."""
        def written():
            told = self.world.ctl("history", str(run), accept=(FAILURE,))  # not written yet
            return told if told and "ended_usec" in told["run"] else None
        told = self.world.eventually(written, f"the end of run {run} in the history")
        return {guest["name"]: guest["outcome"] for guest in told["guests"]}, told["run"]["state"]

    # Rounds.

    def check_outcomes(self, run, wanted, touched=frozenset()):
        """That the run was about those, and them only, and how each came out."""
        outcomes, state = self.outcomes(run)
        if state != "finished":
            raise AssertionError(f"run {run} was {state}")
        wrong = {name: (outcomes.get(name), wanted.get(name))
                 for name in (outcomes.keys() | wanted.keys()) - touched
                 if outcomes.get(name) != wanted.get(name)}
        if wrong:
            raise AssertionError(f"run {run}: outcomes (seen, wanted): {wrong}")

    def check_drain(self, run, before, listed_before, touched=frozenset()):
        self.check_outcomes(run, before.drained(before.running), touched)
        expect_same("running after a drain", running(self.world) - touched, set())
        expect_same("the list after a drain", self.listed() - touched,
                    (before.running | listed_before) - touched)

    def check_boot(self, before, wanted, kept, touched):
        started = self.observer.started()
        expect_same("running after a boot run", running(self.world) - touched,
                    (before.running | wanted) - touched)
        expect_same("started by a boot run", set(started) - touched,
                    (wanted - before.running) - touched)
        twice = {name for name, count in started.items() if count > 1} - touched
        expect_same("started twice", twice, set())
        expect_same("the list after a boot run", self.listed() - touched, kept - touched)

    def drain(self, storm=False):
        before, listed = Before(self.world), self.listed()
        run = self.begin("drain", "--yes", "--trigger", "maintenance")
        touched = self.churn(20) if storm else set()
        self.finish()
        self.check_drain(run, before, listed, touched)

    def boot(self, storm=False):
        self.observer.reset()
        before, listed, lasting = Before(self.world), self.listed(), self.listed(transient=False)
        flags = flagged(self.world)
        run = self.begin("boot")
        touched = self.churn(20) if storm else set()
        self.finish()
        # A flag asks for nothing of a guest that runs already; the list does, to be cleared.
        self.check_outcomes(run, before.booted(listed | (flags - before.running)), touched)
        # Who is undefined meanwhile stays on the list, for he may be defined again. Of one that was
        # undefined while it ran there was nothing to define: it is reported and forgotten.
        self.check_boot(before, (listed & before.defined) | flags, lasting - before.defined, touched)

    def cancelled_drain(self):
        before = Before(self.world)
        run = self.begin("drain", "--yes", "--trigger", "maintenance")
        # It may be over by now: then there is nothing to cancel, and a boot run brings them back.
        self.operations += 1
        cancelled = self.world.ctl("cancel", accept=(FAILURE,))["cancelled"]
        if not cancelled:
            self.finish()
            self.begin("boot")
        self.finish()
        _, state = self.outcomes(run)
        if state != ("cancelled" if cancelled else "finished"):
            raise AssertionError(f"run {run}: cancel said {cancelled}, history says {state}")
        expect_same("lost by a cancelled drain",
                    before.running - before.transient - running(self.world), set())

    def some_guests(self):
        """A run over a glob, and back."""
        kind = self.chance.choice(KINDS)

        def chosen(names):
            return {name for name in names if name.startswith(f"{kind}-")}
        first = Before(self.world)
        run = self.begin("drain", f"{kind}-*", "--yes")
        self.finish()
        self.check_outcomes(run, first.drained(chosen(first.running)))
        second, listed = Before(self.world), self.listed()
        expect_same("running after a drain of some", second.running,
                    first.running - chosen(first.running))
        run = self.begin("boot", f"{kind}-*")
        self.finish()
        # Asked for by name: whether it is flagged, or was up before, is no matter.
        self.check_outcomes(run, second.booted(chosen(second.defined | listed)))
        expect_same("lost by a drain of some", first.running - running(self.world),
                    chosen(first.running & first.transient))

    def restart(self):
        """libvirtd killed at rest or in a run: its guests are gone with it, the list is not."""
        before, must = Before(self.world), self.listed(transient=False)
        kind = self.chance.choice(["rest", "boot", "drain"])
        run = None if kind == "rest" else self.begin(kind, *(["--yes"] if kind == "drain" else []))
        self.operations += 1
        self.world.restart_libvirtd()
        self.observer.listen()
        self.virsh([f"define {self.files[name]}" for name in self.names])
        self.finish()
        kept = self.listed() | running(self.world)
        if kind == "drain":
            must |= before.running - before.transient
        if kind == "boot":  # brought back, and lost with libvirtd afterwards
            kept |= {name for name, outcome in self.outcomes(run)[0].items()
                     if outcome in ("started", "already-running")}
        # A drain may have met the guest that each new world of the test driver begins with.
        expect_same(f"lost with libvirtd ({kind})", must & set(self.names) - kept, set())
        self.populate()

    def round(self):
        """One of them, at first each of the short ones, then by chance; its name."""
        # After a cancelled drain whoever may still obey is watched for two minutes: seldom.
        kinds = {"drain and boot": (40, self.drain_and_boot), "churn": (25, lambda: self.churn(50)),
                 "storm": (20, lambda: self.drain_and_boot(True)), "glob": (9, self.some_guests),
                 "libvirtd killed": (4, self.restart), "cancelled drain": (2, self.cancelled_drain)}
        name = self.ahead.pop() if self.ahead else \
            self.chance.choices(list(kinds), [weight for weight, _ in kinds.values()])[0]
        kinds[name][1]()
        self.settle()
        return name

    def drain_and_boot(self, storm=False):
        self.drain(storm)
        self.settle()
        self.boot(storm)

    def measure(self):
        return figures(self.world.guestd.pid)
