# SPDX-License-Identifier: LGPL-2.1-or-later
"""guestd-finish.service, who drains for a guestd that is not there."""

# guestd never hears of its stop.
DEADLY = "[Service]\nExecStop=/bin/kill -KILL $MAINPID\n"


def said(host):
    """What it has said in the last boot."""
    return host.journal("-u", "guestd-finish", "-b")


def finished(host):
    """How often it has finished the last boot's drain."""
    return said(host).count("its drain is finished now")
