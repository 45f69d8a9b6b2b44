# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests of a test host: define, start, and read what each traced of its own life.

A guest's trace is a string: 'U' up, 'A' asked to stop (once per press), 'D' obeyed. It grows over
all boots of the host. A restored guest adds no 'U': it never noticed.
"""

import shlex
import sys
from pathlib import Path

from .host import HostError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from guests import Guest, disk_image, domain_xml  # noqa: E402  (needs the path above)

FOLDER = "/var/lib/guestd-test"  # NAME.img, NAME.xml and NAME.trace of each guest


class Fleet:
    """Some guests of one URI on one host."""

    def __init__(self, host, guests):
        self.host = host
        self.guests = list(guests)

    @classmethod
    def of(cls, host, count, prefix="vm", **options):
        """`count` guests of one kind: vm1, vm2, … Options are those of Guest."""
        return cls(host, [Guest(f"{prefix}{number + 1}", **options) for number in range(count)])

    @property
    def names(self):
        return [guest.name for guest in self.guests]

    def _each(self, command, guests=None, timeout=120):
        """Runs `command` for all guests at once; $name, $xml, $trace are set. All must succeed."""
        names = " ".join(guest.name for guest in (guests or self.guests))
        script = f"""
            one() {{ name=$1 xml={FOLDER}/$1.xml trace={FOLDER}/$1.trace; {command}; }}
            for name in {names}; do one $name & jobs="$jobs $!"; done
            bad=0; for job in $jobs; do wait $job || bad=1; done; exit $bad"""
        return self.host.exec(script, timeout=timeout, check=True).out

    def define(self):
        """Puts the guests' files into the running host and defines the persistent ones."""
        files = {}
        for guest in self.guests:
            path = f"{FOLDER}/{guest.name}"
            files[path + ".img"] = disk_image(guest)
            files[path + ".xml"] = domain_xml(guest, path + ".img", path + ".trace")
            files[path + ".trace"] = b""
        self.host.put_files(files)
        # QEMU runs as a user of its own and only appends to a trace.
        self.host.exec(f"chmod 755 {FOLDER} && chmod 666 {FOLDER}/*.trace {FOLDER}/*.img",
                       check=True)
        persistent = [guest for guest in self.guests if guest.persistent]
        if persistent:
            self._each('virsh --quiet define "$xml"', persistent)
        autostart = [guest for guest in self.guests if guest.autostart]
        if autostart:
            self._each('virsh --quiet autostart "$name"', autostart)
        return self

    def start(self, wait_up=True, timeout=120):
        """Starts all guests at once (transient ones are created)."""
        before = self.traces()
        self._each('if [ -n "$(virsh list --all --name | grep -Fx "$name")" ]; '
                   'then virsh --quiet start "$name"; else virsh --quiet create "$xml"; fi',
                   timeout=timeout)
        if wait_up:
            self.wait_up(before, timeout)
        return self

    def wait_up(self, before, timeout=60):
        """Waits until each guest has traced 'U' since `before`, which `traces()` returned."""
        self.wait_traces({name: before[name] + "U" for name in self.names}, timeout)

    def wait_traces(self, patterns, timeout=60):
        """Waits until every guest's trace fits a shell pattern: one for all, or {name: pattern}."""
        if isinstance(patterns, str):
            patterns = dict.fromkeys(self.names, patterns)
        waits = "".join(f"until [[ $(<{name}.trace) == {pattern} ]]; do sleep 0.05; done\n"
                        for name, pattern in patterns.items())
        script = f"cd {FOLDER}\n{waits}"
        try:
            self.host.exec(f"timeout {timeout} bash -c {shlex.quote(script)}", timeout + 30,
                           check=True)
        except HostError as problem:
            raise HostError(f"traces {self.traces()} do not fit {patterns}; {problem}") from None

    def traces(self):
        """{name: trace}, host up or down."""
        if not self.host.is_up:
            return {name: self.host.read_file(f"{FOLDER}/{name}.trace").decode()
                    for name in self.names}
        script = f'cd {FOLDER}; for name in {" ".join(self.names)}; ' \
                 'do echo "$name:$(<$name.trace)"; done'
        pairs = (line.split(":") for line in self.host.out(script).splitlines())
        return {name: trace for name, trace in pairs}

    def obeyed(self):
        """The names of the guests whose last life ended in obedience."""
        return [name for name, trace in self.traces().items() if trace.endswith("D")]

    def unasked(self):
        """The names of the guests that were up, and that nobody asked since."""
        return [name for name, trace in self.traces().items() if trace.endswith("U")]

    def states(self):
        """{name: state} as `virsh domstate` says; 'undefined' for none. The host is up."""
        script = f"""for name in {" ".join(self.names)}; do
            echo "$name:$(virsh domstate $name 2>/dev/null || echo undefined)"; done"""
        lines = self.host.out(script).split("\n")
        return dict(line.split(":", 1) for line in lines if line)

    def running(self):
        """The names of the running guests. The host is up."""
        listed = self.host.out("virsh list --state-running --name").split()
        return [name for name in self.names if name in listed]
