"""Load by `martlet bench`, whose requests come at their times whether answers have come or not."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from peers import martlet, processes
from peers.paths import progress
from peers.peer import PeerServer
from peers.protocols import GRPC, WrongAnswerError
from peers.subjects import SUBJECTS, Subject, SubjectError, agrees
from servers import ServerError

SLACK_SECONDS = 60.0


class LoadFailedError(Exception):
    """The load generator did not run, or not all requests were answered well."""


def run(name: str, work: Callable[[], int]) -> int:
    """Do the work of a benchmark; its exit code, where a failure is told in a line."""
    try:
        return work()
    except KeyboardInterrupt:
        return 130
    except (
        LoadFailedError,
        ServerError,
        SubjectError,
        WrongAnswerError,
        OSError,
        subprocess.SubprocessError,
    ) as error:
        print(f"{name} failed: {error}", file=sys.stderr)
        return 1


@dataclass(frozen=True)
class Window:
    """What came of a stretch of load. Latencies are from the intended start of an open loop."""

    requests: int
    errors: int
    rate: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    # How late requests were begun, 99th percentile: the generator's own fault.
    lag_p99_ms: float | None
    # Of answers that were refusals, 99th percentile and most.
    refusal_p99_ms: float | None
    refusal_max_ms: float | None
    # Processor time of the node, in cores.
    node_cores: float
    resident_bytes: int


@contextlib.contextmanager
def node(name: str, *flags: str) -> Iterator[tuple[PeerServer, Subject, Path]]:
    """A node with the flags of the comparison and more, that answers as TensorFlow does."""
    subject = next(each for each in SUBJECTS if each.name == name)
    with tempfile.TemporaryDirectory(prefix="martlet-load.") as text:
        folder = Path(text)
        progress(f"{subject.title}: the model, and TensorFlow's own answer")
        subject.make()
        expected = subject.reference(folder)
        with martlet.with_flags(*flags).start(subject, folder) as server:
            answer, _ = GRPC.ask(subject, server.address(GRPC))
            if not agrees(answer, expected):
                raise WrongAnswerError(f"the answer is not TensorFlow's: {answer}")
            engine = martlet.chosen_engine(server)
            progress(f"{subject.title}: {engine.name}, {engine.precision} ({engine.detail})")
            (folder / "request").write_bytes(GRPC.body(subject, subject.input_values.shape))
            yield server, subject, folder


def load(
    server: PeerServer,
    subject: Subject,
    folder: Path,
    seconds: float,
    flags: Sequence[str],
    *,
    may_refuse: bool = False,
) -> Window:
    """Load a node over gRPC for so many seconds."""
    command = [
        *(martlet.binary(), "bench", f"http://{server.address(GRPC)}"),
        *("--api=oip-grpc", f"--model={subject.name}", f"--data={folder / 'request'}"),
        *(f"--duration={seconds:g}", "--json=-", *flags),
    ]
    used, began = server.processor_seconds(), time.monotonic()
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds + SLACK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailedError(f"martlet bench did not end: {error}") from error
    cores = (server.processor_seconds() - used) / (time.monotonic() - began)
    if ended.returncode != 0 and not (may_refuse and ended.returncode == 1):
        raise LoadFailedError(f"martlet bench failed: {ended.stderr.strip()[-400:]}")
    return window(ended.stdout, cores, processes.resident_bytes(server.pid))


def window(report: str, cores: float, resident_bytes: int) -> Window:
    """Read what `martlet bench --json -` wrote."""
    target = json.loads(report)["targets"][0]
    latency = target["latency_ms"]
    refusal = target.get("refusal_latency_ms", {})
    return Window(
        requests=target["requests"],
        errors=sum(error["count"] for error in target["errors"]),
        rate=target["rate"],
        p50_ms=latency["p50"],
        p99_ms=latency["p99"],
        p999_ms=latency["p999"],
        max_ms=latency["max"],
        lag_p99_ms=target["client"].get("lag_p99_ms"),
        refusal_p99_ms=refusal.get("p99"),
        refusal_max_ms=refusal.get("max"),
        node_cores=cores,
        resident_bytes=resident_bytes,
    )
