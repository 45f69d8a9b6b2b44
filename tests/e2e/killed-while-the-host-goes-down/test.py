# SPDX-License-Identifier: LGPL-2.1-or-later
"""guestd dies while the host goes down: in the middle of its drain, before it has begun one, and
again and again since long before. systemd restarts nothing then; the guests are stopped all the
same, and come back."""

import observe
from stand_in import DEADLY, finished
from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

# Before systemd stops units it would restart one that was killed.
CONFIG = """
[daemon]
early_drain = false
[boot]
ready = "running"
[shutdown]
stop = ["shutdown 3s", "save 1min"]
deadline = "2min"
"""
MAIN = "systemctl show -P MainPID guestd"
# Until the next boot.
CRASHING = "/run/systemd/system/guestd.service.d/crashing.conf"
CRASHES = "[Service]\nExecStartPost=/bin/kill -KILL $MAINPID\n"


def back_again(host, fleet, traces):
    host.boot()
    expect(host.exec("guestctl wait", timeout=60).rc == 0, "the boot run was not clean")
    expect(fleet.running() == fleet.names, f"running: {fleet.running()}")
    fleet.wait_traces(traces, timeout=30)


def run(context):
    host = context.managed_host()
    host.put_file("/etc/guestd/guestd.toml", CONFIG)
    host.exec("systemctl restart guestd", check=True)
    fleet = Fleet.of(host, 4, deaf=True).define().start()

    killer = host.spawn(f"pid=$({MAIN}); journalctl -f -b -n 50 -u guestd | grep -q 'drain run .* begins' && "
                        "kill -KILL $pid")
    host.request("poweroff")
    killer.close()
    host.wait_down()
    expect(finished(host) == 1, "nobody took over")
    expect(all(trace in ("UA", "UAA") for trace in fleet.traces().values()),
           f"asked once by each life at most, and saved: {fleet.traces()}")
    back_again(host, fleet, "U+(A)")  # no second U: restored

    host.put_file("/etc/systemd/system/guestd.service.d/test.conf", DEADLY)
    host.exec("systemctl daemon-reload", check=True)
    pid = host.out(MAIN)
    host.exec("systemctl restart guestd", check=True)
    expect(host.out(MAIN) != pid and fleet.running() == fleet.names,
           "killed by a restart, it is back, and has touched no guest")
    host.poweroff()
    expect(finished(host) == 1, "nobody took over from the one that had begun nothing")
    back_again(host, fleet, "U+(A)")

    host.put_file(CRASHING, CRASHES)
    host.exec("systemctl daemon-reload; systemctl --no-block restart guestd", check=True)
    restarts = "systemctl show -P NRestarts guestd"
    observe.eventually(lambda: int(host.out(restarts)) > 5, lambda: "guestd does not crash")
    host.poweroff()  # by whom the guests are stopped depends on the moment
    back_again(host, fleet, "U+(A)")
