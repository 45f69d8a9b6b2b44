#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches the guests of this host through org.guestd1, and drains them if asked to.

    watch-guests.py                list the guests, then print every change until Ctrl-C
    watch-guests.py --drain GUEST… take these guests down, follow the run, exit with its result

Needs the Debian packages python3-dbus and python3-gi. Reading needs no privileges; for a command
polkit may ask for a password.
"""

import sys

import dbus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

SERVICE = "org.guestd1"
GUEST = "org.guestd1.Guest"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"


def escaped(text):
    """A guest may be called anything: nothing of it must reach the terminal as a command."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(text))


def list_guests(bus):
    """Prints the guests; {path: name}."""
    names = {}
    manager = dbus.Interface(bus.get_object(SERVICE, "/org/guestd1"), OBJECT_MANAGER)
    for path, interfaces in sorted(manager.GetManagedObjects().items()):
        guest = interfaces.get(GUEST)
        if guest is not None:
            names[path] = escaped(guest["Name"])
            print(f"{names[path]}: {guest['State']}")
    return names


def watch(bus, loop):
    """Prints what changes from now on."""
    def changed(interface, values, _invalid, path):
        if interface == GUEST:
            name = names.get(path, path)
            print(*(f"{name}: {key} = {escaped(value)}" for key, value in values.items()), sep="\n",
                  flush=True)

    bus.add_signal_receiver(changed, "PropertiesChanged", PROPERTIES, SERVICE, path_keyword="path")
    names = list_guests(bus)  # after listening began: nothing falls between
    sys.stdout.flush()
    loop.run()
    return 0


def drain(bus, loop, globs):
    """Takes guests down; 0 when all of them went down clean, 4 when not."""
    heard, result = {}, []
    mine = []

    def ended(run, clean):
        heard[int(run)] = bool(clean)
        if mine and int(run) == mine[0]:
            result.append(heard[mine[0]])
            loop.quit()

    def guests(run, changes):
        for _uri, _uuid, name, *rest in changes:
            detail = ", ".join(escaped(part) for part in rest if part)
            print(f"run {run}: {escaped(name)}: {detail}", flush=True)

    manager = dbus.Interface(bus.get_object(SERVICE, "/org/guestd1"), "org.guestd1.Manager")
    manager.connect_to_signal("RunEnded", ended)
    manager.connect_to_signal("GuestsChanged", guests)
    # The number of the run comes at once; that it has ended comes as a signal, maybe before.
    mine.append(int(manager.Drain(dbus.Array(globs, "s"), dbus.Dictionary({}, "sv"))))
    if mine[0] not in heard:
        loop.run()
    return 0 if (result or [heard.get(mine[0])])[0] else 4


def main(arguments):
    DBusGMainLoop(set_as_default=True)
    bus, loop = dbus.SystemBus(), GLib.MainLoop()
    try:
        if arguments == ["--drain"]:
            print("name the guests to take down; '*' is all of them", file=sys.stderr)
            return 2
        if arguments[:1] == ["--drain"]:
            return drain(bus, loop, arguments[1:])
        return watch(bus, loop)
    except dbus.DBusException as error:
        print(f"{error.get_dbus_name()}: {escaped(error.get_dbus_message())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
