# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests of a test host: define, start, and read what each traced of its own life.

A guest's trace is a string: 'U' up, 'A' asked to stop (once per press), 'D' obeyed. It grows over
all boots of the host. A restored guest adds no 'U': it never noticed.
"""

import shlex
import sys
from pathlib import Path

from .host import HostError, archive

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from guests import Guest, disk_image, domain_xml  # noqa: E402  (needs the path above)

FOLDER = "/var/lib/guestd-test"  # NAME.img, NAME.xml and NAME.trace of each guest
IMAGES = "/var/lib/libvirt/qemu/save"  # NAME.save of each guest that qemu:///system has saved


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

    def _virsh(self, commands, before="", stdin=b"", timeout=120):
        """Runs commands in one virsh, which goes on after one that fails; then raises."""
        out = self.host.exec(f"{before} virsh --quiet {shlex.quote('; '.join(commands))}",
                             timeout=timeout, stdin=stdin).out
        if "error:" in out:
            raise HostError(f"{'; '.join(commands)}: {out.strip()}")

    def define(self):
        """Puts the guests' files into the running host and defines the persistent ones."""
        files, commands = {}, ["uri"]
        for guest in self.guests:
            path = f"{FOLDER}/{guest.file}"
            files[path + ".img"] = disk_image(guest)
            files[path + ".xml"] = domain_xml(guest, path + ".img", path + ".trace")
            files[path + ".trace"] = b""
            if guest.persistent:
                commands.append(f"define {path}.xml")
            if guest.autostart:
                commands.append(f"autostart {guest.uuid}")
        # QEMU runs as a user of its own: writable for all. One command does it all, because each
        # takes long in an emulated machine.
        self._virsh(commands, before="tar -xf - -C / &&", stdin=archive(files, 0o666))
        return self

    def start(self, wait_up=True, timeout=120):
        """Starts all guests (transient ones are created); waits until each has traced 'U'."""
        before = self.traces()
        self._virsh([f"start {guest.uuid}" if guest.persistent
                     else f"create {FOLDER}/{guest.file}.xml" for guest in self.guests],
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
        waits = "".join(f"until [[ $(<{guest.file}.trace) == {patterns[guest.name]} ]]; "
                        "do sleep 0.05; done\n"
                        for guest in self.guests if guest.name in patterns)
        script = f"cd {FOLDER}\n{waits}"
        try:
            limit = timeout * self.host.patience
            self.host.exec(f"timeout {limit} bash -c {shlex.quote(script)}", timeout + 30,
                           check=True)
        except HostError as problem:
            raise HostError(f"traces {self.traces()} do not fit {patterns}; {problem}") from None

    def traces(self):
        """{name: trace}, host up or down. (A power cut may leave zeros of what was not flushed.)"""
        if not self.host.is_up:
            return {guest.name: self.host.read_file(f"{FOLDER}/{guest.file}.trace").decode()
                    .replace("\0", "") for guest in self.guests}
        script = f'cd {FOLDER}; for file in {" ".join(guest.file for guest in self.guests)}; ' \
                 'do echo "$file:$(tr -d "\\0" <$file.trace)"; done'
        traces = dict(line.split(":") for line in self.host.out(script).splitlines())
        return {guest.name: traces[guest.file] for guest in self.guests}

    def obeyed(self):
        """The names of the guests whose last life ended in obedience."""
        return [name for name, trace in self.traces().items() if trace.endswith("D")]

    def unasked(self):
        """The names of the guests that were up, and that nobody asked since."""
        return [name for name, trace in self.traces().items() if trace.endswith("U")]

    def states(self):
        """{name: state} as `virsh domstate` says; 'undefined' for none. The host is up."""
        script = f"""for uuid in {" ".join(guest.uuid for guest in self.guests)}; do
            state=$(virsh domstate $uuid 2>/dev/null) || state=undefined
            echo "$uuid:$state"; done"""
        lines = self.host.out(script).split("\n")
        states = dict(line.split(":", 1) for line in lines if line)
        return {guest.name: states[guest.uuid] for guest in self.guests}

    def running(self):
        """The names of the running guests. The host is up."""
        listed = self.host.out("virsh list --state-running --uuid").split()
        return [guest.name for guest in self.guests if guest.uuid in listed]
