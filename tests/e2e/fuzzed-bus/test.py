# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that the bus offers is called with nonsense, by a user without privileges and by root:
other types, empty, huge and hostile values, thousands of calls that are never waited for. guestd
answers all along, is the process that it was, has not grown, and no guest was touched.

The interface is read from the bus, so a new method is tried without being named here. Values come
from a fixed seed: a failure can be had again."""

import json

from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

ROUNDS = 3000
# Some pages of what was read last stay; a leak of the strings below would be gigabytes.
MOST_GROWTH_KIB = 20_000
# Boot, Drain and Cancel by root would do what they say: root's values are wrong in one place.
FUZZ = r'''
import json, random, sys
import dbus, dbus.lowlevel
from dbus.types import *
ROUNDS, ROOT = int(sys.argv[1]), sys.argv[2] == "root"
random.seed(20261121)
bus = dbus.SystemBus()
TEXTS = ["", "x", "*", "[", "\\", "*a" * 200, "\x1b[2J\x07", "<script>", "a\nb", "../../etc/shadow",
         "%s%n", "\u202e", "9" * 400, "-1", "x" * 20000, "00000000-0000-0000-0000-000000000001"]
NUMBERS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]
def text():
    return random.choice(TEXTS) if random.random() < .8 else "".join(
        chr(random.choice([random.randrange(1, 0xD800), random.randrange(0xE000, 0x110000)]))
        for _ in range(9))
def variant(depth=0):
    kind = random.randrange(9 if depth < 4 else 6)
    return [lambda: String(text()), lambda: UInt32(random.choice(NUMBERS)), lambda: Boolean(1),
            lambda: UInt64(random.getrandbits(64)), lambda: Double(random.random()),
            lambda: Int16(-3), lambda: Array([variant(depth + 1)], signature="v"),
            lambda: Struct((variant(depth + 1),), signature=None),
            lambda: Dictionary({text(): variant(depth + 1)}, signature="sv")][kind]()
def value(signature):
    if signature == "as":
        return Array([text() for _ in range(random.choice([0, 1, 3, 2000]))], signature="s")
    if signature == "a{sv}":
        keys = ["trigger", "deadline_usec", "skip", text()]
        if random.random() < .03:
            keys = [str(number) for number in range(20000)]
            return Dictionary({key: Boolean(1) for key in keys}, signature="sv")
        return Dictionary({random.choice(keys): variant() for _ in range(random.randrange(4))},
                          signature="sv")
    return {"s": lambda: String("x" * 3000000 if random.random() < .03 else text()), "u": lambda: UInt32(random.choice(NUMBERS)),
            "o": lambda: ObjectPath("/x")}.get(signature, variant)()
import xml.etree.ElementTree as tree
def methods(path):
    node = tree.fromstring(bus.call_blocking("org.guestd1", path,
        "org.freedesktop.DBus.Introspectable", "Introspect", "", ()))
    for interface in node.findall("interface"):
        for method in interface.findall("method"):
            yield path, interface.get("name"), method.get("name"), [
                a.get("type") for a in method.findall("arg") if a.get("direction") != "out"]
    for below in node.findall("node"):
        yield from methods(path.rstrip("/") + "/" + below.get("name"))
known = list(methods("/org/guestd1"))
COMMANDS = {"Boot", "Drain", "Cancel"}
told = {}
for number in range(ROUNDS):
    path, interface, name, types = random.choice(known)
    right = random.random() < .7 and not (ROOT and name in COMMANDS)
    args = [value(t) for t in types] if right else [variant() for _ in range(random.randrange(1, 5))]
    if random.random() < .05:
        path = random.choice(["/", "/org/guestd1/guest/none/0", "/org/guestd1/run/4294967295",
                              "/org/guestd1/guest" + "/a" * 30000])
    message = dbus.lowlevel.MethodCallMessage("org.guestd1", path, interface, name)
    try:
        message.append(*args)
    except Exception:
        continue  # what the library itself does not write
    if random.random() < .3:
        message.set_no_reply(True)
        bus.send_message(message)
        continue
    try:
        bus.send_message_with_reply_and_block(message, 20)
        word = "answered"
    except dbus.DBusException as error:
        word = error.get_dbus_name()
    told[word] = told.get(word, 0) + 1
    assert word != "org.freedesktop.DBus.Error.NoReply", (path, interface, name, args)
print(json.dumps({"methods": len(known), "told": told}))
'''
MEMORY = "awk '/VmRSS/ {print $2}' /proc/$(pidof guestd)/status"


def fuzz(host, user):
    as_whom = "" if user == "root" else f"setpriv --reuid={user} --regid={user} --init-groups "
    lines = host.out(f"{as_whom}python3 /usr/local/lib/fuzz-bus {ROUNDS} {user}", timeout=400)
    result = json.loads(lines.splitlines()[-1])
    print(f"{user}: {ROUNDS} calls of {result['methods']} methods: {result['told']}")
    expect(result["methods"] > 13, f"only {result['methods']} methods were found")
    expect(not any("Internal" in word for word in result["told"]),
           f"nonsense was taken for a fault of guestd's own: {result['told']}")
    return result["told"]


def alive(host, before):
    host.exec("guestctl status", timeout=20, check=True)
    pid = host.out("pidof guestd").strip()
    expect(pid == before, f"guestd was {before}, and is {pid}:\n{host.journal('-u', 'guestd')}")


def run(context):
    host = context.host(extras=["python3-dbus"])
    host.boot()
    context.manager.install(host)
    host.put_file("/usr/local/lib/fuzz-bus", FUZZ)
    host.exec("useradd --create-home reader", check=True)
    fleet = Fleet.of(host, 3).define().start()
    pid = host.out("pidof guestd").strip()
    fuzz(host, "reader")  # what is read once and kept
    grown_from = int(host.out(MEMORY))
    told = fuzz(host, "reader")
    alive(host, pid)
    grown = int(host.out(MEMORY)) - grown_from
    expect(grown < MOST_GROWTH_KIB, f"guestd has grown by {grown} KiB")
    expect(any("AccessDenied" in word or "InteractiveAuth" in word for word in told),
           f"no command of a reader was refused: {told}")
    fuzz(host, "root")
    alive(host, pid)
    runs = json.loads(host.out("guestctl --json history"))
    expect(all(run["trigger"] == "host-boot" for run in runs), f"nonsense made a run: {runs}")
    expect(fleet.running() == fleet.names and set(fleet.traces().values()) == {"U"},
           f"guests were touched: {fleet.traces()}")
    print(f"guestd has grown by {grown} KiB")
