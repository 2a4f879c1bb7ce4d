"""Does the gateway's memory grow over millions of requests? HTTP/1.1 and gRPC, in turns."""

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import Machine
from peers import lines
from peers.paths import progress

from front.generators import Generator
from front.loads import GRPC, HTTP, LARGE_LOADS, Load, Target

MIB = 1 << 20
# Of each four windows one moves large bodies: few requests, and large buffers.
TURNS = (HTTP, GRPC[0], GRPC[1], LARGE_LOADS[0], HTTP, GRPC[0], GRPC[1], LARGE_LOADS[1])


@dataclass(frozen=True)
class Window:
    """What a stretch of one load left behind."""

    load: str
    # Since the beginning, this window's included.
    requests: int
    seconds: float
    rate: float
    resident_bytes: int


def measure(generator: Generator, target: Target, requests: int, seconds: int) -> list[Window]:
    """Windows of so many seconds until there were so many requests."""
    windows: list[Window] = []
    total = 0
    while total < requests:
        load: Load = TURNS[len(windows) % len(TURNS)]
        found = generator.measure(load, target, seconds)
        total += found.requests
        windows.append(
            Window(load.title, total, found.seconds, found.rate, found.resident_bytes or 0)
        )
        progress(f"{total:,} of {requests:,} requests: {windows[-1].resident_bytes / MIB:.1f} MiB")
    return windows


def slope(windows: list[Window]) -> float:
    """Bytes that a million requests add, by least squares over the second half."""
    later = windows[len(windows) // 2 :]
    if len(later) < 3:
        return 0.0
    millions = np.array([each.requests for each in later]) / 1e6
    return float(np.polyfit(millions, [each.resident_bytes for each in later], 1)[0])


def as_markdown(windows: list[Window], machine: Machine) -> str:
    """The lines of a report."""
    held = [each.resident_bytes / MIB for each in windows]
    half = windows[len(windows) // 2]
    rates = {
        load: statistics.median(each.rate for each in windows if each.load == load)
        for load in dict.fromkeys(each.load for each in windows)
    }
    return "\n".join(
        [
            f"- {machine}",
            f"- {windows[-1].requests:,} requests, none failed, in windows of "
            f"{windows[-1].seconds:.0f} s: "
            + "; ".join(f"{load} at {rate:,.0f}/s" for load, rate in rates.items()),
            f"- memory after the first window {held[0]:.1f} MiB, after {half.requests:,} requests "
            f"{half.resident_bytes / MIB:.1f} MiB, at the end {held[-1]:.1f} MiB, most "
            f"{max(held):.1f} MiB",
            f"- over the second half {slope(windows) / 1024:+.1f} KiB a million requests",
            "",
        ]
    )


def draw(windows: list[Window], path: Path) -> None:
    """The memory after each window."""
    title = f"memory of the gateway, MiB, over {windows[-1].requests:,} requests"
    held = [each.resident_bytes / MIB for each in windows]
    mean = statistics.mean(each.seconds for each in windows)
    path.write_text(lines.draw([lines.Panel(title, held)], round(mean)), encoding="utf-8")


def as_json(windows: list[Window]) -> list[dict[str, Any]]:
    """Every window."""
    return [asdict(each) for each in windows]
