"""Load by wrk (HTTP/1.1) and h2load (gRPC), believed only if every answer was good."""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from client import run_to_end
from load import H2LOAD_COUNTS, H2LOAD_SUCCESSES, read_log
from measurement import LoadError, Meter

from front.loads import GRPC_REQUEST, Load, Target, check
from front.processes import HERE, MESSAGE, grpc_prefixed

WARM_UP_SECONDS = 1
WARM_UP_REQUESTS = 3_200
H2LOAD_DATA = re.compile(r"traffic: .*\((\d+)\) data$", re.MULTILINE)


@dataclass(frozen=True)
class Round:
    """One round of one row. Processor times are microseconds a request."""

    requests: int
    seconds: float
    rate: float
    p50_ms: float
    p99_ms: float
    proxy_cpu_us: float | None
    backend_cpu_us: float
    client_cpu_us: float
    # Share of its core that the proxy used.
    proxy_busy: float | None
    resident_bytes: int | None
    # Of the whole machine: what neither we nor our servers used, and what its host took away.
    others_busy: float
    stolen: float

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Answers:
    """What a load generator says of a run."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


class Generator:
    """Runs wrk and h2load on one core."""

    def __init__(self, core: int, folder: Path, certificate: str) -> None:
        self.pinned = ["taskset", "--cpu-list", str(core)]
        self.folder = folder
        self.certificate = certificate
        # By titles of load and target: sizes of whole answers, and rates of the latest runs.
        self.sizes: dict[tuple[str, str], int] = {}
        self.rates: dict[tuple[str, str], float] = {}

    def measure(self, load: Load, target: Target, seconds: int) -> Round:
        """Load a target for so many seconds; the first time, check it and warm it up."""
        key = (load.title, target.title)
        if key not in self.sizes:
            self.sizes[key] = check(load, target, self.certificate)
            self.warm_up(load, target, key)
        retries = target.proxy.retries() if target.proxy else 0
        meter = Meter([target.backend], target.proxy)
        answers, client_seconds = self.run(load, target, key, seconds)
        usage = meter.read(client_seconds)
        if target.proxy and target.proxy.retries() != retries:
            raise LoadError(f"{load.title}, {target.title}: requests had to be sent again")
        self.rates[key] = answers.requests / answers.seconds
        return Round(
            requests=answers.requests,
            seconds=answers.seconds,
            rate=self.rates[key],
            p50_ms=answers.p50_ms,
            p99_ms=answers.p99_ms,
            proxy_cpu_us=usage.proxy * 1e6 / answers.requests if target.proxy else None,
            backend_cpu_us=usage.nodes * 1e6 / answers.requests,
            client_cpu_us=client_seconds * 1e6 / answers.requests,
            proxy_busy=usage.proxy / answers.seconds if target.proxy else None,
            resident_bytes=target.proxy.resident_bytes() if target.proxy else None,
            others_busy=usage.others,
            stolen=usage.stolen,
        )

    def warm_up(self, load: Load, target: Target, key: tuple[str, str]) -> None:
        """Reach the pace of a server that has been asked for a while."""
        if load.is_grpc:
            answers, _ = self.h2load(load, target, WARM_UP_REQUESTS)
            self.rates[key] = answers.requests / answers.seconds
        answers, _ = self.run(load, target, key, WARM_UP_SECONDS)
        self.rates[key] = answers.requests / answers.seconds

    def run(
        self, load: Load, target: Target, key: tuple[str, str], seconds: int
    ) -> tuple[Answers, float]:
        """One run for so many seconds: its answers, and the generator's processor seconds."""
        if not load.is_grpc:
            return self.wrk(load, target, seconds, self.sizes[key])
        at_once = load.connections * load.streams
        count = max(1, round(self.rates[key] * seconds / at_once)) * at_once
        return self.h2load(load, target, count)

    def wrk(self, load: Load, target: Target, seconds: int, size: int) -> tuple[Answers, float]:
        """Raise unless each answer is as long as the one that was checked, and none an error."""
        environment = dict(os.environ)
        environment.pop("MARTLET_BENCH_BODY", None)
        if load.body:
            environment["MARTLET_BENCH_BODY"] = str(self.file("request", load.body))
        command = [
            *(*self.pinned, "wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s"),
            *("--timeout", "10s", "-s", HERE / "wrk.lua"),
            *(part for name, value in load.headers for part in ("-H", f"{name}: {value}")),
            load.url(target.port),
        ]
        output, used = run_to_end(command, target.title, environment)
        found = json.loads(output.strip().splitlines()[-1])
        errors = sum(found[name] for name in ("connect", "read", "write", "timeout", "status"))
        requests = found["requests"]
        # At the end each connection may have a part of one more.
        most = (requests + load.connections) * size
        if errors or requests == 0 or not requests * size <= found["bytes"] <= most:
            raise LoadError(
                f"{load.title}, {target.title}: not every answer was good ({size} bytes):\n{output}"
            )
        answers = Answers(
            requests=requests,
            seconds=found["microseconds"] / 1e6,
            p50_ms=found["p50_us"] / 1e3,
            p99_ms=found["p99_us"] / 1e3,
        )
        return answers, used

    def h2load(self, load: Load, target: Target, requests: int) -> tuple[Answers, float]:
        """Raise unless each answer is 2xx and has its message: a failed call has none."""
        log = self.folder / "h2load.tsv"
        log.unlink(missing_ok=True)
        command = [
            *(*self.pinned, "h2load", "-t1", "-c", str(load.connections), "-m", str(load.streams)),
            *("-n", str(requests), "-d", self.file("call", grpc_prefixed(GRPC_REQUEST))),
            *("-H", "content-type: application/grpc", "-H", "te: trailers", f"--log-file={log}"),
            load.url(target.port),
        ]
        output, used = run_to_end(command, target.title)
        counts, good = H2LOAD_COUNTS.search(output), H2LOAD_SUCCESSES.search(output)
        data = H2LOAD_DATA.search(output)
        if (
            counts is None
            or good is None
            or data is None
            or [int(count) for count in counts.groups()] != [requests, requests, 0, 0, 0]
            or int(good[1]) != requests
            or int(data[1]) != requests * len(grpc_prefixed(MESSAGE))
        ):
            raise LoadError(f"{load.title}, {target.title}: not every answer was good:\n{output}")
        starts, durations = read_log(log, requests)
        elapsed = float((starts + durations).max() - starts.min()) / 1e6
        p50, p99 = np.percentile(durations, [50, 99]) / 1e3
        return Answers(requests, elapsed, float(p50), float(p99)), used

    def file(self, name: str, content: bytes) -> Path:
        """A file for the generator to read, made once."""
        path = self.folder / f"{name}-{len(content)}"
        if not path.exists():
            path.write_bytes(content)
        return path
