# SPDX-License-Identifier: LGPL-2.1-or-later
"""web requires app, app requires db, and db's disk is not there when the boot run begins.

db cannot start, and what is missing is named; app and web wait for it, and an unrelated guest does
not. Then the disk appears: all come up, in their order, and nothing has failed in the end.
"""

import observe
from support import Fleet, configure, expect, held, known_guests, newest_run
from guests import Guest

KINDS = ("container",)
MANAGERS = ("guestd",)

DISK = "/var/lib/guestd-test/db.img"
READY = 1.0  # seconds, by CONFIG
CONFIG = """
[boot]
ready = "delay:1s"
retry = { attempts = 3, backoff = "500ms", max_backoff = "1s" }
[[guest]]
name = "web"
requires = ["app"]
[[guest]]
name = "app"
requires = ["db"]
"""


def run(context):
    host = context.managed_host()
    configure(host, CONFIG)
    fleet = Fleet(host, [Guest(name) for name in ("web", "app", "db", "alone")]).define()
    host.exec(f"mv {DISK} {DISK}.away", check=True)
    observe.wait_known(fleet)
    observe.begin(host)
    host.exec("guestctl boot '*'", check=True)

    Fleet(host, [Guest("alone")]).wait_traces("U")
    observe.eventually(lambda: DISK in held(host).get("db", ""),
                       lambda: f"no word of the missing disk: {known_guests(host)}")
    for name, need in (("app", "db"), ("web", "app")):
        expect(f"{need} to be ready" in held(host).get(name, ""),
               f"{name} does not wait: {known_guests(host)}")
    expect(fleet.running() == ["alone"], f"running without the disk: {fleet.running()}")

    host.exec(f"mv {DISK}.away {DISK}", check=True)
    host.exec("guestctl wait", timeout=90, check=True)
    fleet.wait_traces("U")
    started = {name: at for at, name in observe.events(host, "Started")}
    for below, above in (("db", "app"), ("app", "web")):
        expect(started[above] - started[below] >= READY,
               f"{above} was started before {below} was ready: {started}")
    record, guests = newest_run(host, "boot")
    expect({name: guest["outcome"] for name, guest in guests.items()}
           == dict.fromkeys(fleet.names, "started"), f"outcomes: {guests}")
    expect(record["clean"], f"the run was not clean: {record}")
