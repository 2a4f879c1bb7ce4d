"""Load on a server by h2load, believed only where both sides count the same."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import payload
from client import run_to_end
from measurement import LoadError, Measurement, Meter
from servers import Gateway, Node, Server

WARM_UP_REQUESTS = 6_400
H2LOAD_COUNTS = re.compile(
    r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, "
    r"(\d+) errored, (\d+) timeout"
)
H2LOAD_SUCCESSES = re.compile(r"status codes: (\d+) 2xx")


@dataclass(frozen=True)
class Load:
    """How the clients ask."""

    title: str
    api: str
    connections: int
    streams: int = 1

    @property
    def in_flight(self) -> int:
        """Requests under way at any moment."""
        return self.connections * self.streams

    @property
    def path(self) -> str:
        """What they ask for."""
        return payload.REST_PATH if self.api == "rest" else payload.GRPC_PATH

    @property
    def flags(self) -> list[str]:
        """h2load's flags that make it so."""
        if self.api == "rest":
            kind = ["--h1", "-H", "content-type: application/json"]
        else:
            kind = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        return [*kind, "-c", str(self.connections), "-m", str(self.streams)]


LOADS = (
    Load("REST, 64 connections", "rest", 64),
    Load("gRPC, 64 connections", "grpc", 64),
    Load("gRPC, 8 connections of 8 streams", "grpc", 8, 8),
)


@dataclass(frozen=True)
class Target:
    """Who is asked: nodes, maybe through a proxy."""

    title: str
    addresses: dict[str, str]
    nodes: Sequence[Node]
    proxy: Server | None = None

    def check(self, api: str) -> None:
        """Ask once with a stock client, and compare the answer."""
        check = payload.check_rest if api == "rest" else payload.check_grpc
        check(self.addresses[api])


class LoadGenerator:
    """Runs h2load, and believes it only where the servers agree."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.log = folder / "h2load.tsv"
        self.bodies = {"rest": folder / "rest.json", "grpc": folder / "grpc.bin"}
        self.bodies["rest"].write_bytes(payload.REST_BODY)
        self.bodies["grpc"].write_bytes(payload.grpc_body())
        self.rates: dict[tuple[str, str], float] = {}

    def measure(self, load: Load, target: Target, seconds: float) -> Measurement:
        """Load a target for about so many seconds; the first time, warm it up and check it."""
        key = (load.title, target.title)
        if key not in self.rates:
            target.check(load.api)
            self.rates[key] = self.run(load, target, WARM_UP_REQUESTS).requests_per_second
            self.rates[key] = self.run(load, target, self.count(load, key, 1)).requests_per_second
        measured = self.run(load, target, self.count(load, key, seconds))
        self.rates[key] = measured.requests_per_second
        return measured

    def count(self, load: Load, key: tuple[str, str], seconds: float) -> int:
        """Requests for so many seconds. Their number is fixed so that servers' counts must fit."""
        return max(1, round(self.rates[key] * seconds / load.in_flight)) * load.in_flight

    def run(self, load: Load, target: Target, requests: int) -> Measurement:
        """Send so many requests; raise unless each was answered well, as both sides count."""
        counts_before = [node.answered(load.api) for node in target.nodes]
        retries_before = retries(target)
        meter = Meter(target.nodes, target.proxy)
        output, client_seconds = self.start(load, target, requests)
        usage = meter.read(client_seconds)
        check_client(output, requests, target)
        check_nodes(counts_before, load, target, requests)
        if retries(target) != retries_before:
            raise LoadError(f"{target.title}: the gateway had to send requests again")

        starts, durations = read_log(self.log, requests)
        elapsed = float((starts + durations).max() - starts.min()) / 1e6
        p50, p99 = np.percentile(durations, [50, 99]) / 1e3
        return Measurement(
            requests=requests,
            seconds=elapsed,
            requests_per_second=requests / elapsed,
            p50_ms=float(p50),
            p99_ms=float(p99),
            node_cpu_us=usage.nodes * 1e6 / requests,
            proxy_cpu_us=usage.proxy * 1e6 / requests if target.proxy else None,
            client_cpu_us=client_seconds * 1e6 / requests,
            client_busy=client_seconds / elapsed,
            others_busy=usage.others,
            stolen=usage.stolen,
        )

    def start(self, load: Load, target: Target, requests: int) -> tuple[str, float]:
        """Run h2load to its end: what it printed, and the processor time it used."""
        self.log.unlink(missing_ok=True)
        command = [
            *(self.program, *load.flags, "-n", str(requests)),
            *("-d", str(self.bodies[load.api]), f"--log-file={self.log}"),
            f"http://{target.addresses[load.api]}{load.path}",
        ]
        return run_to_end(command, target.title)


def retries(target: Target) -> int:
    """Requests that the gateway had to send again, so far."""
    return target.proxy.retries() if isinstance(target.proxy, Gateway) else 0


def check_client(output: str, requests: int, target: Target) -> None:
    """Raise unless h2load saw a 2xx answer to each request."""
    counts, successes = H2LOAD_COUNTS.search(output), H2LOAD_SUCCESSES.search(output)
    expected = [requests, requests, 0, 0, 0]
    if (
        counts is None
        or successes is None
        or [int(count) for count in counts.groups()] != expected
        or int(successes[1]) != requests
    ):
        raise LoadError(f"{target.title} did not answer {requests} requests well:\n{output}")


def check_nodes(before: list[dict[str, int]], load: Load, target: Target, requests: int) -> None:
    """Raise unless the nodes count each request once and as OK.

    gRPC tells failures in trailers, which h2load does not look at.
    """
    risen: dict[str, int] = {}
    for node, counted in zip(target.nodes, before, strict=True):
        for code, count in node.answered(load.api).items():
            risen[code] = risen.get(code, 0) + count - counted.get(code, 0)
    risen = {code: count for code, count in risen.items() if count}
    if risen != {"OK": requests}:
        raise LoadError(f"{target.title}: {requests} requests, and the nodes counted {risen}")


def read_log(path: Path, requests: int) -> tuple[np.ndarray, np.ndarray]:
    """Start of each request since the epoch, and its duration, in microseconds."""
    # Tabs and newlines are both white space: start, status, duration, start, ...
    values = np.fromfile(path, dtype=np.int64, sep=" ")
    if values.size != 3 * requests:
        raise LoadError(f"{path} has {values.size} values, not three for each request")
    rows = values.reshape(-1, 3)
    return rows[:, 0], rows[:, 2]
