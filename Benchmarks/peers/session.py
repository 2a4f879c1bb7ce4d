"""One model: its limits and all servers of it, measured in turn."""

import argparse
import contextlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measurement import LoadError
from servers import ServerError

from peers import processes
from peers.install import InstallError
from peers.limits import Limits, has_bf16
from peers.loader import Target
from peers.martlet import Martlet, chosen_engine
from peers.outcome import Outcome
from peers.paths import progress
from peers.peer import Peer, PeerServer
from peers.protocols import WrongAnswerError
from peers.subjects import Subject, SubjectError
from peers.table import Row, Section

# What must be left before one more server is started beside the others.
SPARE_BYTES = 6 << 30
FAILURES = (
    *(InstallError, LoadError, ServerError, WrongAnswerError, SubjectError),
    *(subprocess.SubprocessError, OSError, KeyError, ValueError),
)


@dataclass
class Step:
    """A row, and how one round of it is measured."""

    row: Row
    measure: Callable[[], Outcome]
    failed: bool = False


class Session:
    """The rounds of one model."""

    def __init__(
        self,
        scope: contextlib.ExitStack,
        subject: Subject,
        limits: Limits,
        arguments: argparse.Namespace,
        folder: Path,
    ) -> None:
        self.scope = scope
        self.subject = subject
        self.limits = limits
        self.peers: list[Peer] = arguments.peers
        self.seconds: float = arguments.duration
        self.rounds: int = arguments.rounds
        self.folder = folder
        self.section = Section(subject.name, subject.title, subject.connections)
        # For the whole report, not this model alone.
        self.notes: list[str] = []
        self.expected = np.empty(0)
        self.rows: dict[str, Row] = {}

    def run(self) -> Section:
        """Everything, from the model to the last round."""
        progress(f"{self.subject.title}: the model, and TensorFlow's own answer")
        try:
            self.subject.make()
            self.expected = self.subject.reference(self.folder)
        except FAILURES as error:
            self.section.notes.append(f"not measured: {reason(error)}")
            return self.section
        steps = list(self.plan_limits())
        later = []
        for peer in self.peers:
            if peer.restless or processes.available_bytes() < SPARE_BYTES:
                later.append((peer, self.add_rows(peer)))
            else:
                steps += self.start(peer, self.add_rows(peer), self.scope)
        self.measure(steps)
        self.scope.close()
        for peer, rows in later:
            with contextlib.ExitStack() as scope:
                self.measure(self.start(peer, rows, scope))
        return self.section

    def plan_limits(self) -> Iterator[Step]:
        """The engines alone."""
        titles = {
            "default": "TensorFlow's C API, default threads",
            "caller": "TensorFlow's C API, caller's threads",
        }
        for settings, title in titles.items():
            yield self.step(
                settings,
                title,
                lambda settings=settings: self.limits.run_tensorflow(
                    self.subject, settings, self.folder, self.seconds
                ),
            )
        precisions = {"f32": "32-bit", "bf16": "16-bit"}
        if not has_bf16():
            precisions.pop("bf16")
            self.notes.append(
                "No rows for OpenVINO in 16-bit numbers: this processor has none (AVX512_BF16 "
                "or AMX), and OpenVINO computes in 32 bits then, whatever it is told."
            )
        for precision, words in precisions.items():
            yield self.step(
                precision,
                f"OpenVINO's C API, throughput, {words}",
                lambda precision=precision: self.limits.run_openvino(
                    self.subject, precision, self.seconds
                ),
            )
        yield self.step(
            "benchmark_app",
            "OpenVINO's benchmark_app, 32-bit",
            lambda: self.limits.run_benchmark_app(self.subject, self.seconds),
        )

    def step(self, name: str, title: str, measure: Callable[[], Outcome]) -> Step:
        """A row of an engine alone."""
        row = Row(title, reference=self.rows.get("default"))
        self.rows[name] = row
        self.section.rows.append(row)
        return Step(row, measure)

    def add_rows(self, peer: Peer) -> list[Row]:
        """A row for each protocol; peers run TensorFlow, at best in their workers' threads."""
        rows = [
            Row(peer.title, protocol.title, [], self.rows["default"], self.rows["caller"])
            for protocol in peer.protocols
        ]
        self.section.rows += rows
        return rows

    def start(self, peer: Peer, rows: list[Row], scope: contextlib.ExitStack) -> list[Step]:
        """Start a server, and say how each of its rows is measured."""
        progress(f"{self.subject.title}: starting {peer.title}")
        try:
            server = scope.enter_context(peer.start(self.subject, self.folder))
            if isinstance(peer, Martlet):
                self.compare_with_engine(rows, server)
        except FAILURES as error:
            self.fail(peer.title, error)
            return []
        targets = [
            Target(server, protocol, self.subject, self.expected) for protocol in peer.protocols
        ]
        return [
            Step(row, lambda target=target: target.measure(self.seconds))
            for row, target in zip(rows, targets, strict=True)
        ]

    def compare_with_engine(self, rows: list[Row], server: PeerServer) -> None:
        """A node is compared with the engine that it chose."""
        engine = chosen_engine(server)
        self.section.notes.append(
            f"Martlet chose {engine.name}, {engine.precision}: {engine.detail}"
        )
        if engine.name == "openvino":
            precision = "bf16" if engine.precision == "fast" else "f32"
            for row in rows:
                row.limit = self.rows.get(precision)

    def measure(self, steps: list[Step]) -> None:
        """The rounds; what fails once is left out from then on."""
        for number in range(1, self.rounds + 1):
            for step in steps:
                if step.failed:
                    continue
                progress(f"{self.subject.title}: round {number} of {self.rounds}, {step.row.title}")
                try:
                    step.row.rounds.append(step.measure())
                except FAILURES as error:
                    step.failed = True
                    self.fail(step.row.title, error)

    def fail(self, title: str, error: BaseException) -> None:
        """Say what is missing, and why."""
        progress(f"{title}: {error}")
        self.section.notes.append(f"{title} is not measured: {reason(error)}")


def reason(error: BaseException) -> str:
    """An error in a line."""
    return " ".join(str(error).split())[:400] or type(error).__name__
