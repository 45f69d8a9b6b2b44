#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make_guests.py FOLDER NAME…: disk and domain XML of each guest of the demo.

What is in a name: "slow" takes 3 s to go down, "deaf" never does.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from guests import Guest, disk_image, domain_xml  # noqa: E402

folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    guest = Guest(name, delay=3 if "slow" in name else 0, deaf="deaf" in name)
    (folder / f"{name}.img").write_bytes(disk_image(guest))
    (folder / f"{name}.xml").write_text(
        domain_xml(guest, str(folder / f"{name}.img"), str(folder / f"{name}.trace")))
