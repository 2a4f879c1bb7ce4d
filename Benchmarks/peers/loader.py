"""Load on a peer by h2load, the same for all of them."""

import contextlib
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import load
import numpy as np
import servers
from measurement import LoadError, Meter

from peers.outcome import Outcome
from peers.peer import PeerServer
from peers.protocols import LENGTH_MIN, Protocol, WrongAnswerError
from peers.subjects import Subject, agrees

DATA_BYTES = re.compile(r"traffic: .*\((\d+)\) data")
# What one run may take beyond what it should.
SLACK_SECONDS = 60.0
ESTIMATE_SECONDS = 1.0


@dataclass
class Target:
    """A server that is asked over one protocol, and how fast it was last."""

    server: PeerServer
    protocol: Protocol
    subject: Subject
    expected: np.ndarray
    answer_bytes: int = 0
    rate: float = 0.0

    def measure(self, seconds: float) -> Outcome:
        """Load it for about so many seconds; the first time, check it and warm it up."""
        if not self.rate:
            self.check()
            self.run(2 * self.subject.connections)
            self.rate = self.run(self.count(ESTIMATE_SECONDS)).rate
        found = self.run(self.count(seconds))
        self.rate = found.rate
        return found

    def check(self) -> None:
        """Ask once and compare the answer with TensorFlow's."""
        answer, self.answer_bytes = self.protocol.ask(self.subject, self.address)
        if not agrees(answer, self.expected):
            raise WrongAnswerError(
                f"the answer is not TensorFlow's: {answer.ravel()[:4]} for {self.expected[:4]}"
            )
        self.rate = 8.0

    @property
    def address(self) -> str:
        """Where the server listens."""
        return self.server.address(self.protocol)

    def count(self, seconds: float) -> int:
        """Requests for so many seconds; each connection sends as many."""
        connections = self.subject.connections
        return max(1, round(self.rate * seconds / connections)) * connections

    def run(self, requests: int) -> Outcome:
        """Send so many requests; raise unless each was answered well."""
        meter = Meter([self.server])
        with tempfile.TemporaryDirectory(prefix="martlet-h2load.") as folder:
            log, body = Path(folder) / "log.tsv", Path(folder) / "body"
            body.write_bytes(self.protocol.framed(self.subject))
            limit = requests / max(self.rate, 1.0) * 3 + SLACK_SECONDS
            output, client = self.start(requests, body, log, limit)
            usage = meter.read(client)
            self.judge(output, requests)
            starts, durations = load.read_log(log, requests)
        seconds = float((starts + durations).max() - starts.min()) / 1e6
        p50, p99 = np.percentile(durations, [50, 99]) / 1e3
        return Outcome(
            rate=requests / seconds,
            requests=requests,
            seconds=seconds,
            p50_ms=float(p50),
            p99_ms=float(p99),
            cpu_us=usage.nodes * 1e6 / requests,
            client_busy=client / seconds,
            others_busy=usage.others,
            stolen=usage.stolen,
        )

    def start(self, requests: int, body: Path, log: Path, limit: float) -> tuple[str, float]:
        """Run h2load to its end: what it printed, and the processor time it used."""
        connections = str(self.subject.connections)
        command = [
            *(*servers.bound_to_us(), "h2load", *self.protocol.flags),
            *("-c", connections, "-m", "1", "-n", str(requests)),
            *("-d", str(body), f"--log-file={log}", self.protocol.url(self.subject, self.address)),
        ]
        before = os.times()
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise LoadError(f"{requests} requests were not answered in {limit:.0f} s") from error
        after = os.times()
        used = after.children_user - before.children_user
        return ended.stdout, used + after.children_system - before.children_system

    def judge(self, output: str, requests: int) -> None:
        """Raise unless all answers were 2xx and as long as a good one.

        gRPC tells failures in trailers, which h2load does not look at; such answers are empty.
        """
        counts, successes = load.H2LOAD_COUNTS.search(output), load.H2LOAD_SUCCESSES.search(output)
        data = DATA_BYTES.search(output)
        good = (
            counts is not None
            and successes is not None
            and data is not None
            and [int(count) for count in counts.groups()] == [requests, requests, 0, 0, 0]
            and int(successes[1]) == requests
            and int(data[1]) >= LENGTH_MIN * requests * self.answer_bytes
        )
        if not good:
            with contextlib.suppress(servers.ServerError):
                self.server.check_running()
            told = "\n".join(output.splitlines()[-12:])
            raise LoadError(f"not all of {requests} requests were answered well:\n{told}")
