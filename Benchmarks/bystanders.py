"""What neighbours notice of an attack: a steady load through a gateway, in phases."""

import dataclasses
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Event
from typing import Any

import end_to_end  # noqa: F401  (the harness is found by it)
import numpy as np
from harness.open_loop import Request

# Attackers stand for other machines: on the cores of this one they take what nobody else wants.
ATTACKER_NICENESS = 5

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0

SPAWNING = multiprocessing.get_context("spawn")


@dataclasses.dataclass(frozen=True)
class Phase:
    """The requests that were due in a stretch of time; latencies in milliseconds."""

    requests: int
    failures: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    # How late requests were sent, by the generator's own fault.
    lag_p99_ms: float

    def __str__(self) -> str:
        return f"{self.p50_ms:.1f} / {self.p99_ms:.1f}"


def phase(requests: list[Request], begin: float, end: float) -> Phase:
    """The phase between two times; all its requests must have ended."""
    its = [each for each in requests if begin <= each.due < end]
    if not its:
        return Phase(0, 0, 0.0, 0.0, 0.0, 0.0)
    took = np.array([each.seconds * 1000 for each in its])
    p50, p99, most = np.percentile(took, [50, 99, 100])
    lag = np.percentile([(each.sent - each.due) * 1000 for each in its], 99)
    failures = sum(each.failure is not None for each in its)
    return Phase(len(its), failures, float(p50), float(p99), float(most), float(lag))


def raise_file_limit() -> None:
    """As many open files as this user may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Attacker:
    """A process that does something at the lowest priority until it is stopped.

    What it does is called with its arguments, and with an event after which it is to return.
    """

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        self._ready, self._stopping = SPAWNING.Event(), SPAWNING.Event()
        self._process = SPAWNING.Process(
            target=_attack, args=(self._ready, work, *arguments, self._stopping), daemon=True
        )

    def __enter__(self) -> "Attacker":
        self._process.start()
        if not self._ready.wait(START_SECONDS_MAX):
            raise AssertionError("the attacker does not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._process.join(STOP_SECONDS_MAX)
        self._process.kill()

    def assert_running(self) -> None:
        """An attacker that has ended by itself has attacked nobody."""
        assert self._process.is_alive(), f"the attacker has ended: {self._process.exitcode}"


def _attack(ready: Event, work: Callable[..., None], *arguments: Any) -> None:
    os.nice(ATTACKER_NICENESS)
    # Ctrl-C is for the process that started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ready.set()
    work(*arguments)
