# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hosts to boot, use and switch off in tests: see README.md beside this file."""

from .container import ContainerHost
from .fleet import Fleet
from .host import Host, HostError
from .machine import MachineHost
from .roots import SUITES

HOSTS = {"container": ContainerHost, "machine": MachineHost}

__all__ = ["HOSTS", "SUITES", "ContainerHost", "Fleet", "Host", "HostError", "MachineHost"]
