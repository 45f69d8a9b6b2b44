# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disk images of emulated machines: an ext4 file system each, made and opened without a mount."""

import subprocess
import tempfile
from pathlib import Path

from . import roots

SIZE = "4G"  # sparse; room for journals and saved guests


def build_image(suite, layers):
    """The cached ext4 image of a root's layers; about 10 s when it has to be built."""
    key = roots.hash_of(SIZE, *(layer.name for layer in layers))
    name = f"image-{suite}-{key}"
    with roots.building(name, ".ext4") as image, \
            tempfile.TemporaryDirectory(dir=roots.cache()) as scratch:
        if image:
            scratch = Path(scratch)
            with roots.overlay(layers, scratch / "upper", scratch / "work",
                               scratch / "root") as root:
                roots.Log(name).run("mkfs.ext4", "-q", "-F", "-L", "root", "-m", "0",
                                    "-d", str(root), str(image), SIZE)
    return roots.cache() / f"{name}.ext4"


class Disk:
    """The disk of one machine: first what it changed of the cached image, later all of it.

    Booting needs only the changes (qcow2). To look inside, the disk is made a plain image once,
    and stays one.
    """

    def __init__(self, image, folder):
        self._folder = folder
        self.path, self.format = folder / "disk.qcow2", "qcow2"
        self._run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, self.path)
        self.dirty = False  # booted since the file system was last checked

    @staticmethod
    def _run(*command, ok=(0,)):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                              check=False)
        if done.returncode not in ok:
            raise OSError(f"{command[0]}: {done.stderr or done.stdout}")
        return done

    def _open(self):
        """Makes the file system readable by debugfs: plain, and its journal replayed."""
        if self.format == "qcow2":
            plain = self._folder / "disk.raw"
            self._run("qemu-img", "convert", "-O", "raw", self.path, plain)
            self.path.unlink()
            self.path, self.format = plain, "raw"
        if self.dirty:
            # 1: corrected, which is normal after a power cut.
            self._run("e2fsck", "-p", self.path, ok=(0, 1))
            self.dirty = False

    def _debugfs(self, *requests, write=False):
        """Runs debugfs requests; it tells of failure only in words."""
        script = self._folder / "debugfs"
        script.write_text("".join(request + "\n" for request in requests))
        options = ["-w"] if write else []
        errors = self._run("debugfs", *options, "-f", script, self.path).stderr.splitlines()
        return [line for line in errors if line and not line.startswith("debugfs 1.")]

    def read(self, path):
        self._open()
        copy = self._folder / "copy"
        copy.unlink(missing_ok=True)
        errors = self._debugfs(f'dump "{path}" {copy}')
        if errors:
            if "not found" in errors[0]:
                raise FileNotFoundError(path)
            raise OSError("; ".join(errors))
        return copy.read_bytes()

    def write(self, path, data, mode):
        self._open()
        copy = self._folder / "copy"
        copy.write_bytes(data)
        for parent in reversed(Path(path).parents[:-1]):
            self._debugfs(f'mkdir "{parent}"', write=True)  # fails if there is one
        self._debugfs(f'rm "{path}"', write=True)  # fails if there is none
        errors = self._debugfs(f'write {copy} "{path}"',
                               f'set_inode_field "{path}" mode 010{mode:04o}',
                               f'set_inode_field "{path}" uid 0',
                               f'set_inode_field "{path}" gid 0', write=True)
        if errors:
            raise OSError(f"{path}: {'; '.join(errors)}")

    def export(self, path, folder):
        """Copies a folder of the disk to `folder`/NAME."""
        self._open()
        self._debugfs(f'rdump "{path}" {folder}')


def kernel_of(layers):
    """(kernel, initrd) of a root; in its base."""
    boot = layers[-1] / "boot"
    kernels = sorted(boot.glob("vmlinuz-*"))
    if not kernels:
        raise FileNotFoundError(f"no kernel in {boot}")
    version = kernels[-1].name.removeprefix("vmlinuz-")
    return kernels[-1], boot / f"initrd.img-{version}"
