# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hosts to boot, use and switch off in tests: see README.md beside this file."""

from .container import ContainerHost
from .fleet import Fleet
from .host import Host, HostError
from .roots import SUITES

HOSTS = {"container": ContainerHost}

__all__ = ["HOSTS", "SUITES", "ContainerHost", "Fleet", "Host", "HostError"]
