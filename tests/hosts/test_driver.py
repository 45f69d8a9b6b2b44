# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of libvirt's test driver on a host: they stop at once and cost nothing. Each URI has a
libvirtd of its own, whose guests live for as long as somebody is connected to it."""

import shlex

FOLDER = "/root/test-driver"
DOMAIN = """<domain type='test'><name>{name}</name><memory unit='MiB'>16</memory>
<os><type>hvm</type></os></domain>"""
# Of an ordinary user: only so can there be many.
PRIVATE = """
mkdir -p {0}/libvirt && cd {0} && printf 'auth_unix_rw = "none"\\n' >libvirtd.conf
printf 'stdio_handler = "file"\\n' >libvirt/qemu.conf; chown -R nobody {0}
systemd-run --quiet --unit={1} -p User=nobody -E HOME={0} -E XDG_RUNTIME_DIR={0} \\
    -E XDG_CONFIG_HOME={0} -E XDG_CACHE_HOME={0} libvirtd -f {0}/libvirtd.conf -p {0}/pid
"""


def unit(number):
    """The systemd unit of the libvirtd behind the URI of that number."""
    return f"libvirtd-{number}"


def launch(host, count):
    """Starts so many libvirtds; returns their URIs."""
    folders = [f"/run/bench/{number}" for number in range(count)]
    host.exec("mkdir -p /run/bench; " +
              "".join(PRIVATE.format(folder, unit(number))
                      for number, folder in enumerate(folders)), timeout=600, check=True)
    sockets = [f"{folder}/libvirt/libvirt-sock" for folder in folders]
    host.exec(f"timeout 300 bash -c 'for socket in {' '.join(sockets)}; do "
              "until [ -S $socket ]; do sleep 0.1; done; done'", timeout=310, check=True)
    return [f"test+unix:///default?socket={socket}" for socket in sockets]


def define(host, uris, count, start=False):
    """Defines vm0, vm1, … on each URI, to each of which somebody must be connected by now."""
    files = {f"{FOLDER}/vm{number}.xml": DOMAIN.format(name=f"vm{number}")
             for number in range(count)}
    # The driver's own guest, called "test", goes.
    commands = "".join(f"define {path}\n" for path in files)
    if start:
        commands += "".join(f"start vm{number}\n" for number in range(count))
    files[f"{FOLDER}/commands"] = "undefine test\n" + commands
    host.put_files(files)
    host.exec(f"""for uri in {" ".join(map(shlex.quote, uris))}; do
        virsh -q -c "$uri" destroy test; virsh -q -c "$uri" <{FOLDER}/commands
    done >/dev/null""", timeout=900, check=True)
