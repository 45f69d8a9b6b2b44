# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests of a benchmark, and whether what was measured really happened to all of them."""

import shlex

from bed import FLOOR, BenchError
from hosts import Fleet, test_driver


class Guests:
    """Some guests behind one or more URIs."""

    def __init__(self, bed, count, uris):
        self.bed, self.count, self.uris = bed, count, uris

    @property
    def quoted(self):
        return [shlex.quote(uri) for uri in self.uris]

    def running(self):
        """How many run, by libvirt's word."""
        return int(self.bed.host.out(f"""
            for uri in {" ".join(self.quoted)}; do virsh -q -c "$uri" list --uuid; done |
                grep -c - || true""", timeout=300))

    def expect_running(self, count):
        if (now := self.running()) != count:
            raise BenchError(f"{now} guests run instead of {count}")

    def check_down(self, way):
        self.expect_running(0)

    def before_up(self):
        pass

    def after_up(self, way):
        self.expect_running(self.count)


class QemuGuests(Guests):
    """Real ones: 512 bytes that obey the power button (tests/guests)."""

    def __init__(self, bed, count, guests=None):
        super().__init__(bed, count, ["qemu:///system"])
        self.fleet = Fleet(bed.host, guests) if guests else Fleet.of(bed.host, count)
        self.fleet.define()
        self._traces = self.fleet.traces()
        bed.host.exec(f"{FLOOR} start 5 4 qemu:///system", timeout=600, check=True)
        self.after_up("shutdown")

    def check_down(self, way):
        super().check_down(way)
        if way == "shutdown" and self.fleet.obeyed() != self.fleet.names:
            raise BenchError(f"not all obeyed: {self.fleet.traces()}")
        images = len(self.bed.host.out("virsh -q list --all --with-managed-save --name").split())
        if images != (self.count if way == "save" else 0):
            raise BenchError(f"{images} saved images of {self.count} guests")

    def before_up(self):
        self._traces = self.fleet.traces()

    def after_up(self, way):
        super().after_up(way)
        if way == "shutdown":  # one that was saved is up, and never noticed
            self.fleet.wait_up(self._traces, timeout=300)


class TestDriverGuests(Guests):
    """Those of tests/hosts/test_driver.py: what is left is everybody's overhead."""

    def __init__(self, bed, count, servers=1):
        uris = test_driver.launch(bed.host, servers)
        super().__init__(bed, count * servers, uris)
        self._keep()
        test_driver.define(bed.host, uris, count)
        self.start()

    def _keep(self):
        self.bed.host.exec("systemd-run --quiet --unit=keeper -p StandardOutput=file:/run/keeper "
                           f"{FLOOR} keep {' '.join(self.quoted)}; timeout 60 bash -c "
                           "'until grep -q keeping /run/keeper; do sleep 0.1; done'", check=True,
                           timeout=70)

    def start(self):
        self.bed.host.exec(f"{FLOOR} start 1 4 {' '.join(self.quoted)}", timeout=600, check=True)
        self.expect_running(self.count)
