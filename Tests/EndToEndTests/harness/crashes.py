"""Ends processes as faults of their engines do."""

import os
import resource
import signal

# No instruction of any processor whose code is all these bytes may be run by a program: `hlt` on
# x86, and not allocated on ARM.
FORBIDDEN = b"\xf4"

PIECE = 1 << 20


def spoil_engine(pid, library="libllama.so"):
    """Overwrites the code of an engine in a process: whoever calls into it next faults.

    The process ends as by a fault of the library itself, on the thread that computes and again at
    each attempt to go on, which a signal sent from outside does not do. Files are not touched.
    """
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        ranges = [line.split()[0] for line in maps if " r-xp " in line and library in line]
    assert ranges, f"process {pid} has no {library}"
    with open(f"/proc/{pid}/mem", "wb", buffering=0) as memory:
        for start, end in (map(lambda text: int(text, 16), span.split("-")) for span in ranges):
            memory.seek(start)
            for place in range(start, end, PIECE):
                memory.write(FORBIDDEN * min(PIECE, end - place))


def kill(pid):
    """Ends a process as the kernel does when memory runs out."""
    os.kill(pid, signal.SIGKILL)
