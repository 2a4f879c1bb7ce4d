"""What the numbers were measured on, and whether anything else was running meanwhile."""

import datetime
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Machine:
    """The line above every table."""

    date: str
    processor: str
    cores: int
    memory_gib: int
    kernel: str
    system: str

    def __str__(self) -> str:
        return (
            f"{self.date}: {self.cores} cores of {self.processor}, {self.memory_gib} GiB, "
            f"Linux {self.kernel}, {self.system}"
        )

    def as_json(self) -> dict[str, str | int]:
        """The same as a JSON object."""
        return asdict(self)


def disturbances(rounds: Iterable[Any], limit: float) -> Iterator[str]:
    """What else had more than this share of the machine in some round, as remarks on a table.

    Rounds have `others_busy` and `stolen`, shares from 0 to 1.
    """
    measured = list(rounds)
    for name, who in (("others_busy", "other programs used"), ("stolen", "the host took away")):
        shares = [getattr(each, name) or 0.0 for each in measured]
        if shares and max(shares) > limit:
            yield (
                f"Not quiet: {who} {statistics.median(shares):.0%} of the machine in the "
                f"median round, {max(shares):.0%} in the worst."
            )


def describe_machine() -> Machine:
    """This machine, today."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        date=datetime.date.today().isoformat(),
        processor=field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=CORES,
        memory_gib=round(memory / 2**30),
        kernel=platform.release(),
        system=platform.freedesktop_os_release().get("PRETTY_NAME", "unknown system"),
    )


def field(path: str, name: str) -> str | None:
    """The value of the first line `name : value` in a file of the kernel."""
    for line in Path(path).read_text().splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return None


def commit(repository: Path) -> str | None:
    """The commit that is checked out, or None outside a git checkout."""
    command = ["git", "-C", str(repository), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def output_of(*command: str | Path) -> str:
    """What a command prints, on one line."""
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return " ".join(answer.stdout.split())


@dataclass(frozen=True)
class ProcessorTime:
    """Processor time of the whole machine, in seconds."""

    busy: float
    stolen: float

    @staticmethod
    def now() -> "ProcessorTime":
        """The kernel's counters, as they are now."""
        with open("/proc/stat", encoding="ascii") as counters:
            ticks = [int(value) for value in counters.readline().split()[1:9]]
        user, nice, system, _, _, interrupt, soft_interrupt, stolen = ticks
        busy = user + nice + system + interrupt + soft_interrupt
        return ProcessorTime(busy / TICKS_PER_SECOND, stolen / TICKS_PER_SECOND)


def process_seconds(pid: int) -> float:
    """Processor time that a process has used, its ended children not among it."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    # The name, in parentheses, may hold spaces.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]
