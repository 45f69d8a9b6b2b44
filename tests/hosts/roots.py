# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file trees that test hosts boot from, built once and then only read.

Two layers, each a folder of the cache whose name is a hash of all that went into it:

  base-SUITE-HASH    Debian with systemd, libvirt and QEMU: slow, needs the mirror
  layer-SUITE-HASH   what is laid over it: the tests' way in (rootfs/), and packages under test

A folder appears under its final name only when it is complete; a lock keeps two builders apart.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .mirror import mirror

HERE = Path(__file__).resolve().parent
SUITES = ("bookworm", "trixie")
BASE_VERSION = 1  # raise it when build_base() changes what it builds
LAYER_VERSION = 1  # the same for build_layer()
ENABLED_UNITS = ("guestd-test-exec.socket", "guestd-test-up.service")
# The manager under test decides what acts on guests; the rest only burns time or takes the console.
DISABLED_UNITS = ("libvirt-guests.service",)
MASKED_UNITS = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "logrotate.timer", "console-getty.service",
    "getty@tty1.service", "serial-getty@ttyS0.service",
    # What no test host has a use for, and an emulated one takes seconds to do.
    "dev-hugepages.mount", "dev-mqueue.mount", "kmod-static-nodes.service", "ldconfig.service",
    "modprobe@.service", "proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "systemd-binfmt.service", "systemd-pstore.service", "systemd-random-seed.service",
    "systemd-update-done.service", "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
)


class BuildError(Exception):
    """A root could not be built; the message names the log."""


def cache():
    """The cache folder: $GUESTD_CACHE or build/hosts in the source tree."""
    default = HERE.parents[1] / "build" / "hosts"
    folder = Path(os.environ.get("GUESTD_CACHE") or default).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def hash_of(*parts):
    """A short hash of strings and of files and folders, contents and modes included."""
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Path):
            digest.update(f"{part}\0".encode())
            continue
        for path in files_below(part) if part.is_dir() else [part]:
            name = path.relative_to(part) if part.is_dir() else path.name
            digest.update(f"{name} {path.stat().st_mode:o}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def building(name, folder_suffix=""):
    """Yields a temporary path for cache entry `name`, or None when it exists already.

    The entry gets its name when the block ends without an exception.
    """
    final = cache() / (name + folder_suffix)
    with open(cache() / f".lock-{name}", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.exists():
            yield None
            return
        temporary = cache() / f".new-{name}{folder_suffix}"
        remove_tree(temporary)
        started = time.monotonic()
        print(f"building {final.name} …", file=sys.stderr, flush=True)
        yield temporary
        temporary.rename(final)
        print(f"built {final.name} in {time.monotonic() - started:.0f} s", file=sys.stderr)


def remove_tree(path):
    """Removes a file or folder that may hold device nodes and odd modes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Log:
    """The output of all steps of one build; shown when a step fails."""

    def __init__(self, name):
        self.path = cache() / f"{name}.log"
        self.path.write_text("")

    def run(self, *command, cwd=None):
        with open(self.path, "a", encoding="utf-8") as out:
            print("+", *command, file=out, flush=True)
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  cwd=cwd, env=build_environment(), check=False).returncode
        if code:
            tail = "\n".join(self.path.read_text(errors="replace").splitlines()[-15:])
            raise BuildError(f"{command[0]} failed with {code}; {self.path} ends:\n{tail}")


def build_environment():
    kept = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return kept | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                   "DEBIAN_FRONTEND": "noninteractive"}


def chroot(log, root, *command):
    """Runs a command in the root; what it leaves running dies with it."""
    log.run("unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}",
            "--wd=/", "sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh", *command)


def packages(suite):
    """The names in root-packages.txt; one with a second word is for that suite alone."""
    lines = map(str.split, (HERE / "root-packages.txt").read_text().splitlines())
    return [name for name, *only in lines if only in ([], [suite])]


def build_base(suite):
    """The cached base of a suite; about a minute when it has to be built."""
    if suite not in SUITES:
        raise BuildError(f"no suite {suite!r}: one of {', '.join(SUITES)}")
    name = f"base-{suite}-{hash_of(BASE_VERSION, packages(suite), HERE / 'base')}"
    with building(name) as root:
        if root:
            log = Log(name)
            source = [mirror()] if mirror() else []
            log.run("debootstrap", "--variant=minbase", suite, str(root), *source)
            # Not with debootstrap's --include: it fails at trixie's polkitd.
            log.run("cp", "-a", "--no-preserve=ownership", f"{HERE / 'base'}/.", str(root))
            shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
            (root / "etc/hostname").write_text("testhost\n")
            (root / "etc/hosts").write_text("127.0.0.1 localhost testhost\n")
            chroot(log, root, "apt-get", "update")
            chroot(log, root, "apt-get", "install", "-y", *packages(suite))
            chroot(log, root, "apt-get", "clean")
            (root / "etc/machine-id").write_text("")
    return cache() / name


@contextlib.contextmanager
def overlay(lowers, upper, work, target):
    """Mounts an overlay for the time of the block; `lowers` topmost first."""
    for folder in (upper, work, target):
        folder.mkdir(parents=True, exist_ok=True)
    lowerdir = ":".join(map(str, lowers))
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir={lowerdir},upperdir={upper},workdir={work}", target], check=True)
    try:
        yield target
    finally:
        subprocess.run(["umount", target], check=True)


def build_layer(base, suite, extras=()):
    """The cached layer over a base: the way in, and what is under test (see build_root)."""
    extras = [Path(extra).resolve() if os.path.exists(extra) else extra for extra in extras]
    key = hash_of(LAYER_VERSION, base.name, ENABLED_UNITS, DISABLED_UNITS, MASKED_UNITS,
                  HERE / "rootfs", *extras)
    name = f"layer-{suite}-{key}"
    with building(name) as layer, tempfile.TemporaryDirectory(dir=cache()) as scratch:
        if layer:
            log = Log(name)
            scratch = Path(scratch)
            with overlay([base], layer, scratch / "work", scratch / "root") as root:
                log.run("cp", "-a", "--no-preserve=ownership", f"{HERE / 'rootfs'}/.", str(root))
                install(log, root, extras)
                chroot(log, root, "systemctl", "enable", *ENABLED_UNITS)
                chroot(log, root, "systemctl", "disable", *DISABLED_UNITS)
                chroot(log, root, "systemctl", "mask", *MASKED_UNITS)
                # A booted test host obeys its packages' scripts, as a real one does.
                (root / "usr/sbin/policy-rc.d").unlink()
    return cache() / name


def install(log, root, extras):
    """Installs packages (files and names) with apt, then lays the folders on top."""
    folders = [extra for extra in extras if isinstance(extra, Path) and extra.is_dir()]
    debs = [extra for extra in extras if isinstance(extra, Path) and extra not in folders]
    wanted = [extra for extra in extras if isinstance(extra, str)]
    wanted += [f"/tmp/{deb.name}" for deb in debs]
    for deb in debs:
        shutil.copy(deb, root / "tmp" / deb.name)
    if wanted:
        try:
            chroot(log, root, "apt-get", "install", "-y", *wanted)
        except BuildError:  # the base's package lists may have grown old
            chroot(log, root, "apt-get", "update")
            chroot(log, root, "apt-get", "install", "-y", *wanted)
        chroot(log, root, "apt-get", "clean")
    for deb in debs:
        (root / "tmp" / deb.name).unlink()
    for folder in folders:
        log.run("cp", "-a", "--no-preserve=ownership", f"{folder}/.", str(root))


def build_root(suite, extras=()):
    """The layers of a host's root, topmost first; builds what is missing.

    Each extra is a .deb file, a folder to lay over the root, or the name of a Debian package.
    """
    base = build_base(suite)
    return [build_layer(base, suite, extras), base]
