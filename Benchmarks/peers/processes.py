"""The processes of one server: its descendants, and those that carry its token.

A descendant may have left its parent, and a process may have written over its environment; none
has done both.
"""

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

import machine

TOKEN = "MARTLET_BENCH_PROCESS"
END_SECONDS_MAX = 5.0


def of(root: int, token: str) -> set[int]:
    """All of them that run, the root too."""
    entry = f"{TOKEN}={token}".encode()
    children: dict[int, list[int]] = {}
    found = {root}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError, ValueError):
            stat = (folder / "stat").read_text(encoding="ascii", errors="replace")
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(pid)
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    waiting = list(found)
    while waiting:
        for pid in children.get(waiting.pop(), []):
            if pid not in found:
                found.add(pid)
                waiting.append(pid)
    found.discard(os.getpid())
    return found


def await_end(pids: Collection[int]) -> None:
    """Wait until processes that were killed have given back what they held."""
    deadline = time.monotonic() + END_SECONDS_MAX
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.05)


def processor_seconds(pids: Collection[int]) -> float:
    """Processor time that processes have used; one that has just ended counts nothing."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += machine.process_seconds(pid)
    return total


def resident_bytes(pid: int) -> int:
    """Memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def available_bytes() -> int:
    """Memory that the machine could still give."""
    text = machine.field("/proc/meminfo", "MemAvailable") or "0 kB"
    return int(text.split()[0]) * 1024
