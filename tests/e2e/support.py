# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of whole hosts are made of: the manager under test, and hosts that it runs on.

The same scenario runs with libvirt's own tool (`stock`) and with guestd, so that a comparison
between the two is always one of like with like.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from hosts import HOSTS, Fleet  # noqa: E402

# A test of guestd's own pressure settings apart, the host's pressure is that of the machine that
# runs all the tests, and would hold every start.
NO_PRESSURE = "/etc/guestd/guestd.toml.d/00-shared-machine.toml"


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Stock:
    """libvirt-guests, set as an administrator does who wants what guestd promises."""

    name = "stock"
    unit = "libvirt-guests.service"
    extras = ()
    settings = {"ON_BOOT": "start", "ON_SHUTDOWN": "shutdown", "PARALLEL_SHUTDOWN": "10",
                "SHUTDOWN_TIMEOUT": "60", "START_DELAY": "0"}

    def install(self, host):
        """Configures the host, which is up, and lets the manager run from now on."""
        lines = "".join(f"{key}={value}\n" for key, value in self.settings.items())
        host.put_file("/etc/default/libvirt-guests", lines)
        host.exec(f"systemctl enable --now {self.unit}", check=True)


class Guestd:
    """guestd from its package, which enables the service itself."""

    name = "guestd"
    unit = "guestd.service"

    def __init__(self, packages):
        self.extras = tuple(packages)

    def install(self, host):
        host.exec(f"grep -qs ^pressure /etc/guestd/guestd.toml || {{ "
                  f"mkdir -p $(dirname {NO_PRESSURE}) && "
                  f"printf '[boot]\\npressure = {{ io = 0, cpu = 0, memory = 0 }}\\n' "
                  f">{NO_PRESSURE}; }}", check=True)
        host.exec(f"systemctl is-enabled {self.unit} && systemctl start {self.unit}", check=True)


class Context:
    """What a test gets: its manager, and hosts that vanish when the test ends."""

    def __init__(self, kind, suite, manager, name):
        self.kind, self.suite, self.manager, self.name = kind, suite, manager, name
        self.hosts = []

    def prepare(self):
        """Builds what `host()` needs, at first use of a suite or package."""
        HOSTS[self.kind].prepare(self.suite, self.manager.extras)

    def host(self, extras=()):
        """A new host with the manager's packages; down."""
        host = HOSTS[self.kind](self.suite, [*self.manager.extras, *extras], name=self.name)
        self.hosts.append(host)
        return host

    def managed_host(self):
        """A new host, booted, on which the manager runs."""
        host = self.host()
        host.boot()
        self.manager.install(host)
        return host

    def save_logs(self, folder):
        """Keeps what a failed test's hosts said. Never fails itself."""
        for number, host in enumerate(self.hosts):
            target = folder / (f"host{number + 1}" if len(self.hosts) > 1 else "host")
            target.mkdir(parents=True, exist_ok=True)
            (target / "console.log").write_text("\n".join(host.console.lines) + "\n")
            try:
                if host.is_up:
                    host.exec("journalctl --sync", timeout=20)
                journal = host.journal("-o", "short-precise", timeout=60)
            except Exception as problem:  # the host may be broken in any way: that is the test
                journal = f"no journal: {problem}"
            (target / "journal.log").write_text(journal + "\n")

    def close(self):
        for host in self.hosts:
            host.remove()


def expect(condition, message):
    """Fails the test with a message. (Unlike assert, it also works under -O.)"""
    if not condition:
        raise AssertionError(message)


def configure(host, text, network=False):
    """Gives guestd a configuration that it must accept. `network`: one that needs the network, which
    systemd gives to a new process only."""
    host.put_file("/etc/guestd/guestd.toml", text)
    if "\npressure" in text:
        host.exec(f"rm -f {NO_PRESSURE}", check=True)
    take = "daemon-reload && systemctl restart" if network else "reload"
    host.exec(f"guestd --check-config && systemctl {take} guestd", check=True)


def known_guests(host):
    """{name: guest} as `guestctl --json list` has them."""
    return {guest["name"]: guest for guest in json.loads(host.out("guestctl --json list"))}


def held(host):
    """{name: what for} of the guests that guestd holds."""
    return {name: guest["held_for"] for name, guest in known_guests(host).items()
            if guest.get("held_for")}


def newest_history(host, kind):
    """(run, guests) of the newest run of a kind, as `guestctl --json history` has them."""
    runs = json.loads(host.out("guestctl --json history"))
    number = max(run["run"] for run in runs if run["kind"] == kind)
    told = json.loads(host.out(f"guestctl --json history {number}"))
    return told["run"], told["guests"]


def newest_run(host, kind):
    """(run, {name: guest}) of the newest run of a kind, of guests of one URI."""
    told, guests = newest_history(host, kind)
    return told, {guest["name"]: guest for guest in guests}


def outcomes(host, kind):
    """{name: outcome} of the newest run of a kind."""
    return {name: guest["outcome"] for name, guest in newest_run(host, kind)[1].items()}


__all__ = ["Context", "Fleet", "Guestd", "Skip", "Stock", "configure", "expect", "held",
           "known_guests", "newest_history", "newest_run", "outcomes"]
