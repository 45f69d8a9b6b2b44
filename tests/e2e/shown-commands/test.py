# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every command that README.md, docs/*.md and the manual pages show, word by word, on one host with
guestd: each succeeds. The tutorial and the how-tos are the scenario `tutorial`.

What cannot be typed here is in `NOT_HERE`, with the reason; what ends only when it is interrupted is
in `ENDLESS`; what a user types in a session of the user's own is in `OWN_SESSION`. None of these may
name a command that no document shows any more. GUESTD_TRANSCRIPT=FILE keeps what was typed and
answered."""

import os
import sys
from pathlib import Path

from guests import Guest
from support import Fleet, expect

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tutorial"))
from documents import block, examples, shown  # noqa: E402

KINDS = ("container",)
MANAGERS = ("guestd",)

ROOT = HERE.parents[2]
DOCS = ROOT / "docs"
TYPED_ELSEWHERE = {"tutorial.md"}
HOME = "/root/reader"

NOT_HERE = {
    "./dev run": "builds from the source, and then runs what `./dev sanitize valgrind` runs, too",
    "./dev package": "builds from the source; the package under test was made so",
    "sudo apt install ./build/packages/guestd_*.deb":
        "the folder is `./dev package`'s; the tutorial installs the package from its reader's",
    "systemctl enable guestd": "by hand what the package does itself: `installed-on-a-running-host`",
    "/usr/lib/guestd/take-over first": "by hand what the package does itself: `installed-on-a-running-host`",
    "systemctl start guestd": "by hand what the package does itself: `installed-on-a-running-host`",
    "export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)": "of no use without the next",
    "tests/package/reproducible": "compiles everything twice, without a compiler cache",
}
ENDLESS = {
    "sudo busctl monitor org.guestd1": "Monitoring bus message stream",
    "busctl monitor org.guestd1": "Monitoring bus message stream",
    "python3 /usr/share/guestd/examples/watch-guests.py": "GUEST: ",
}
OWN_SESSION = ("systemctl --user enable --now guestd", "guestctl --user status")
# What documents take for granted: a host that moves in, a folder for metrics, somebody called ALICE, a
# guest called GUEST. Test hosts have no sudo: everything is root's there.
FILES = {
    "/usr/local/bin/sudo": "#!/bin/sh\nexec \"$@\"\n",
    "/etc/default/libvirt-guests": "ON_BOOT=start\nSTART_DELAY=1\nON_SHUTDOWN=shutdown\n",
    "/var/lib/prometheus/node-exporter/keep": "",
    # Test guests have no agent, and five quiet seconds of each are nobody's time here.
    "/usr/lib/guestd/guestd.toml.d/test.toml": '[boot]\nready = ["delay:100ms"]\n',
}


def prepared(context):
    host = context.host(extras=["python3-dbus", "python3-gi", "libpam-systemd", "dbus-user-session"])
    for path, text in FILES.items():
        host.put_file(path, text, 0o755)
    host.boot()
    context.manager.install(host)
    host.exec(f"mkdir -p {HOME} && useradd --create-home ALICE && loginctl enable-linger ALICE",
              check=True)
    host.put_file(f"{HOME}/new.toml", block(ROOT / "README.md", "toml"))
    host.put_file(f"{HOME}/fleet.toml", block(DOCS / "planning.md", "toml"))
    Fleet(host, [Guest("GUEST"), Guest("db-1")]).define().start()
    return host


def type_endless(host, step, sign):
    """Until it has said what shows that it works."""
    command = host.spawn(step.command)
    expect(any(sign in line for line in command.lines(30)), f"{step.place}: does not print: {sign}")
    command.close()


def type_as_alice(host, command):
    return host.exec(
        "uid=$(id -u ALICE); timeout 60 bash -c \"until systemctl is-active --quiet user@$uid; do "
        "sleep 0.1; done\"; setpriv --reuid=ALICE --regid=ALICE --init-groups env -C /home/ALICE "
        "HOME=/home/ALICE XDG_RUNTIME_DIR=/run/user/$uid "
        f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus {command}", timeout=90)


def type_step(host, step, transcript):
    command = step.command.partition("  #")[0].strip()
    if command in NOT_HERE:
        return command
    if command in ENDLESS:
        type_endless(host, step, ENDLESS[command])
        transcript.append(f"$ {step.command}\n(prints: {ENDLESS[command]}…, until it is interrupted)")
        return command
    code, output = (type_as_alice(host, command) if command in OWN_SESSION
                    else host.exec(f"cd {HOME}\n{step.command}", timeout=120))
    transcript.append(f"$ {step.command}\n{output.rstrip()}")
    expect(code == 0, f"{step.place}: exit status {code}: {step.command}\n{output}")
    return command


def run(context):
    steps = []
    for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]:
        if path.name not in TYPED_ELSEWHERE:
            steps += shown(path)
    for path in sorted((DOCS / "man").glob("*.[1-9]")):
        steps += examples(path)
    expect(len(steps) > 30, f"only {len(steps)} commands were found")
    host = prepared(context)
    transcript = []
    try:
        typed = {type_step(host, step, transcript) for step in steps}
    finally:
        if os.environ.get("GUESTD_TRANSCRIPT"):
            Path(os.environ["GUESTD_TRANSCRIPT"]).write_text("\n".join(transcript) + "\n")
    gone = {*NOT_HERE, *ENDLESS, *OWN_SESSION} - typed
    expect(not gone, f"no document shows these any more: {gone}")
