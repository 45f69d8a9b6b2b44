# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person reads before a host that goes down, as Debian sets it up: no journal on the console.

Who is left, what it does, how long it may take; and whom systemd's own line of 80 columns names.
"""

from support import Fleet, configure, expect
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

CONFIG = """
[shutdown]
stop = ["shutdown 12s", "destroy"]
deadline = "40s"
[[guest]]
name = "db-1"
shutdown.stop = ["shutdown 30s", "destroy"]
[[guest]]
name = "web-1"
after = ["db-1"]
"""
QUIET = ("/etc/systemd/journald.conf.d/zz-quiet.conf", "[Journal]\nForwardToConsole=no\n")


def run(context):
    host = context.host()
    host.put_file(*QUIET)
    host.boot()
    context.manager.install(host)
    configure(host, CONFIG)
    Fleet(host, [Guest("web-1", deaf=True), Guest("db-1", delay=1), Guest("quick")]).define().start()
    mark = host.console.mark()
    host.request("poweroff")
    first = host.console.wait_for(
        r"guestd: \d of 3 guests are down, \S+ left: .*web-1 shutdown \(silent, asked once\)"
        r".*db-1 waits for guests that depend on it", 30, since=mark)
    print(first.group(0))
    job = host.console.wait_for(r"guestd.*stop.*web-1 shutdown", 30, since=mark)
    print(job.group(0))
    last = host.console.wait_for(r"guestd: (all|not all) guests .*", 60, since=mark)
    host.wait_down(60)
    expect("all guests are down" in last.group(0), f"the last word: {last.group(0)}")
