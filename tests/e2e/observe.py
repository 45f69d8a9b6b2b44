# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who watches a boot run besides guestd: libvirt's events, the guests' traces, and the test itself.

All times are seconds of the host's wall clock.
"""

import re
import time
from datetime import datetime

from hosts.fleet import FOLDER
from support import known_guests

LOG = "/run/lifecycle-events"
EVENT = re.compile(r"^(\S+ \S+): event 'lifecycle' for domain '?([^':]+)'?: (\w+)", re.M)
# Defined and undefined again: once its event is there, no later one is missed.
SENTINEL = ("<domain type='qemu'><name>sentinel</name><memory>1024</memory>"
            "<os><type>hvm</type></os></domain>")


def begin(host):
    """Writes libvirt's lifecycle events down from now on, until the host goes down."""
    host.put_file("/run/sentinel.xml", SENTINEL)
    host.exec(f"""systemd-run --quiet --unit=lifecycle-events -p StandardOutput=file:{LOG} \\
            stdbuf -oL virsh event --event lifecycle --loop --timestamp
        timeout 20 bash -c 'until virsh -q "define /run/sentinel.xml; undefine sentinel" &&
            grep -q sentinel {LOG}; do sleep 0.1; done'""", check=True)


def events(host, kind):
    """[(time, guest)] of all events of a kind ("Started") so far, in their order."""
    return [(datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f%z").timestamp(), name)
            for stamp, name, what in EVENT.findall(host.read_file(LOG).decode()) if what == kind]


def traced(fleet):
    """{guest: time of its trace's last letter}; the file's own time, to a tick of the kernel."""
    script = f"cd {FOLDER}; stat -c %.9Y {' '.join(guest.file + '.trace' for guest in fleet.guests)}"
    return dict(zip(fleet.names, map(float, fleet.host.out(script).split())))


def clock(host):
    """What to add to guestd's times (CLOCK_BOOTTIME), as seconds, for wall clock times."""
    return float(host.out("python3 -c 'import time; "
                          "print(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))'"))


def wait_known(fleet):
    """Until guestd has heard of all guests of a fleet: libvirt tells it of each."""
    eventually(lambda: set(fleet.names) <= set(known_guests(fleet.host)),
               lambda: f"guestd knows {sorted(known_guests(fleet.host))}")


def eventually(question, what, timeout=60):
    """The first true answer of `question()`; `what()` says how things are when there is none."""
    deadline = time.monotonic() + timeout
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s; {what()}")
        time.sleep(0.1)
    return answer
