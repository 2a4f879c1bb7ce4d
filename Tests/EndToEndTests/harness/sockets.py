"""Sockets of this machine: ports that are free, and what stands in the kernel's tables."""

import contextlib
import pathlib
import socket

# As the kernel's tables have it.
ESTABLISHED = "01"


def connections_to(port):
    """Connections that stand to a port of this machine."""
    end = f":{port:04X}"
    tables = [path.read_text(encoding="ascii") for path in pathlib.Path("/proc/net").glob("tcp*")]
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    return sum(line[1].endswith(end) and line[3] == ESTABLISHED for line in lines)


def free_ports(count):
    """Ports that nobody has; all are held until all are known, so that they differ."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            holder = stack.enter_context(socket.socket())
            holder.bind(("127.0.0.1", 0))
            ports.append(holder.getsockname()[1])
        return ports


def listens(port):
    """Whether connections to a port of this machine are accepted."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
