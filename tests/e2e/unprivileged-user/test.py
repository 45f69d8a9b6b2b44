# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user without privileges reads everything and is refused every command, in polkit's words; a
member of the group that the example rule allows may command, and so may root, without polkit too.
The bus tells the truth to busctl, gdbus and the Python example, and starts guestd for a caller,
but never where that would be an administrator's decision."""

import json

from support import Fleet, expect

KINDS = ("container",)
MANAGERS = ("guestd",)

FOLDER = "/var/lib/prometheus/node-exporter"
USERS = """
groupadd --system guestd-operators
useradd --create-home reader
useradd --create-home --groups guestd-operators keeper
"""


def run_as(user, command):
    return f"setpriv --reuid={user} --regid={user} --init-groups env HOME=/ {command}"


def refused(host, user, command):
    code, text = host.exec(run_as(user, command))
    expect(code == 1, f"{user}: {command} ended with {code}: {text}")
    return text


def commands_and_polkit(host):
    for reading in ("status", "list", "resume-list", "history"):
        host.exec(run_as("reader", f"guestctl {reading}"), check=True)
    for action, command in {"boot": "boot", "drain": "drain --yes", "cancel": "cancel"}.items():
        text = refused(host, "reader", f"guestctl {command}")
        expect(f"authentication is required (polkit action org.guestd1.{action})" in text,
               f"{command} was refused with: {text}")
    host.exec("install -m 644 /usr/share/guestd/examples/50-guestd.rules "
              "/etc/polkit-1/rules.d/ && systemctl restart polkit", check=True)
    refused(host, "reader", "guestctl boot")
    host.exec(run_as("keeper", "guestctl drain --wait --yes vm1"), timeout=60, check=True)
    host.exec("systemctl mask --now polkit", check=True)
    text = refused(host, "keeper", "guestctl boot")
    expect("only root may do this" in text, f"without polkit: {text}")
    host.exec("guestctl drain --wait --yes vm2", timeout=60, check=True)
    host.exec("systemctl unmask polkit", check=True)


def the_bus(host, fleet):
    tree = host.out(run_as("reader", "busctl tree --list org.guestd1"))
    paths = [line for line in tree.splitlines() if line.startswith("/org/guestd1/guest/")]
    expect(len([path for path in paths if path.count("/") == 5]) == len(fleet.names),
           f"objects: {tree}")
    guest = next(path for path in paths if path.endswith(fleet.guests[0].uuid.replace("-", "_")))
    for client in (f"busctl introspect org.guestd1 {guest}",
                   f"gdbus introspect --system --dest org.guestd1 --object-path {guest}"):
        text = host.out(run_as("reader", client))
        expect(all(word in text for word in ("State", "Phase", "org.guestd1.Guest")), text)
    told = json.loads(host.out(run_as(
        "reader", f"busctl --json=short get-property org.guestd1 {guest} org.guestd1.Guest State")))
    expect(told["data"] == "shut off", f"vm1 is {told}")


def the_example(host, fleet):
    example = "/usr/share/guestd/examples/watch-guests.py"
    watcher = host.spawn(run_as("reader", f"python3 {example}"))
    lines = watcher.lines(30)
    first = [next(lines) for _ in fleet.names]
    expect("vm3: running" in first, f"the example lists {first}")
    code, text = host.exec(f"python3 {example} --drain vm3", timeout=60)
    expect(code == 0 and "vm3: done, shut-down" in text, f"--drain ended with {code}: {text}")
    expect(any(line == "vm3: State = shut off" for line in lines), "the change was not told")
    watcher.close()
    code, text = host.exec(run_as("reader", f"python3 {example} --drain vm4"))
    expect(code == 1 and "InteractiveAuthorizationRequired" in text, f"{code}: {text}")


def the_journal(host):
    lines = [json.loads(line) for line in host.out(
        "journalctl --sync; journalctl -u guestd -o json GUESTD_GUEST_NAME=vm3").splitlines()]
    done = [line for line in lines if line.get("GUESTD_OUTCOME") == "shut-down"]
    expect(len(done) == 1, f"lines of vm3: {lines}")
    for field in ("GUESTD_RUN", "GUESTD_GUEST_UUID", "GUESTD_URI", "MESSAGE_ID"):
        expect(done[0].get(field), f"{field} is missing in {done[0]}")
    expect(any(line.get("GUESTD_STEP") == "shutdown" for line in lines), f"no step in {lines}")
    explained = host.out("journalctl -x -u guestd GUESTD_GUEST_NAME=vm3")
    expect("Subject: Guest vm3 is done: shut-down" in explained, f"-x says: {explained}")


def metrics(host):
    """Written for another service to read."""
    host.exec(f"mkdir -p {FOLDER} && systemctl start guestd-metrics", check=True)
    text = host.out(f"cat {FOLDER}/guestd.prom")
    expect("guestd_up 1" in text and "guestd_guests{" in text, f"metrics: {text}")
    expect(host.out(f"stat -c '%U %a' {FOLDER}/guestd.prom").split() == ["root", "644"], "its mode")
    expect(host.out(f"ls {FOLDER}").split() == ["guestd.prom"], "something was left beside them")


def activation(host, fleet):
    call = run_as("reader", "timeout 20 busctl call org.guestd1 /org/guestd1 org.guestd1.Manager "
                  "ListUris")
    before = fleet.running()
    host.exec("systemctl stop guestd", check=True)
    host.exec(call, timeout=40, check=True)
    is_active = "systemctl is-active guestd"
    expect(host.out(is_active) == "active", "a call did not start guestd")
    host.exec("systemctl disable --now guestd", check=True)
    told = host.exec(call, timeout=40)
    # At once, and not when the bus gives up (or `timeout`, which is 124).
    expect(told.rc == 1 and "not found" in told.out, f"of a disabled guestd a call hears: {told}")
    host.exec("systemctl start guestd-metrics", check=True)
    expect("guestd_up 0" in host.out(f"cat {FOLDER}/guestd.prom"), "guestd is told to be up")
    expect(host.exec(is_active).out.strip() == "inactive", "a reader started a disabled guestd")
    host.exec("systemctl enable guestd; systemctl start libvirt-guests", check=True)
    host.exec("timeout 3 " + call, timeout=40)
    expect(host.exec(is_active).out.strip() == "inactive",
           "a reader's call put guestd in the place of libvirt-guests")
    expect(fleet.running() == before and before, f"running: {fleet.running()}, were: {before}")


def run(context):
    host = context.host(extras=["python3-dbus", "python3-gi", "libglib2.0-bin"])
    host.boot()
    context.manager.install(host)
    host.exec(USERS, check=True)
    fleet = Fleet.of(host, 4).define().start()
    commands_and_polkit(host)
    the_bus(host, fleet)
    the_example(host, fleet)
    the_journal(host)
    metrics(host)
    activation(host, fleet)
