"""Clients that never stop asking, and a record of every answer they got."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import requests
from front_door import MODEL, direct_session
from model import FEATURES, FloatArray, Model

CLIENTS = 4
PAUSE_SECONDS = 0.02
TIMEOUT_SECONDS = 10.0
# JSON carries float32 exactly; what is left is rounding.
DIFFERENCE_MAX = 1e-5


@dataclass(frozen=True)
class Sample:
    """One request: when, how long, which version answered, and what was wrong, if anything."""

    start_seconds: float
    latency_seconds: float
    version: int | None
    problem: str | None


@dataclass(frozen=True)
class Reply:
    """An answer as far as the demo looks at it."""

    status: int
    from_cache: str | None
    scores: FloatArray | None
    seconds: float
    text: str


class Client:
    """One connection to the gateway, by TLS; it does not retry."""

    def __init__(self, address: str, authority: str, key: str | None) -> None:
        self.url = f"https://{address}/v1/models/{MODEL}:predict"
        self.session = direct_session()
        self.session.verify = authority
        if key:
            self.session.headers["Authorization"] = f"Bearer {key}"

    def ask(self, features: FloatArray) -> Reply:
        """Ask how likely payments are fraud."""
        body = {"instances": [[float(value) for value in row] for row in features]}
        began = time.monotonic()
        answer = self.session.post(self.url, json=body, timeout=TIMEOUT_SECONDS)
        seconds = time.monotonic() - began
        scores = None
        if answer.status_code == 200:
            scores = np.array(answer.json()["predictions"], np.float32)
        how = answer.headers.get("x-martlet-cache")
        return Reply(answer.status_code, how, scores, seconds, " ".join(answer.text.split()))

    def close(self) -> None:
        """Close the connection."""
        self.session.close()


class Load:
    """Worker threads as a scope: entering starts them, leaving stops and joins them.

    Each asks about payments of its own, and compares every answer with what each version says.
    """

    def __init__(
        self, address: str, authority: str, key: str, versions: Mapping[int, Model]
    ) -> None:
        self.connect = lambda: Client(address, authority, key)
        self.versions = versions
        self.samples: list[Sample] = []
        self.started = time.monotonic()
        self.stopping = threading.Event()
        self.workers = [
            threading.Thread(target=self.work, args=(number,), name=f"load-{number}")
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        for worker in self.workers:
            worker.join()

    @property
    def seconds(self) -> float:
        """How long the load has been on."""
        return time.monotonic() - self.started

    @property
    def failed(self) -> int:
        """How many requests failed up to now."""
        return sum(sample.problem is not None for sample in list(self.samples))

    def work(self, number: int) -> None:
        """Ask until told to stop; run by each worker."""
        generator = np.random.default_rng(1000 + number)
        client = self.connect()
        while not self.stopping.wait(PAUSE_SECONDS):
            self.samples.append(self.sample(client, self.telling(generator)))
        client.close()

    def telling(self, generator: np.random.Generator) -> FloatArray:
        """A payment on which the versions differ, so that the answer tells whose it is."""
        while True:
            features = generator.normal(size=(1, FEATURES)).astype(np.float32)
            scores = [float(model.scores(features)[0]) for model in self.versions.values()]
            if max(scores) - min(scores) > 100 * DIFFERENCE_MAX:
                return features

    def sample(self, client: Client, features: FloatArray) -> Sample:
        """Ask once and judge the answer."""
        start = time.monotonic()
        try:
            reply = client.ask(features)
        except (requests.RequestException, KeyError, ValueError) as error:
            return Sample(start - self.started, time.monotonic() - start, None, f"{error}"[:200])
        problem, version = None, None
        if reply.scores is None:
            problem = f"HTTP {reply.status} {reply.text[:200]}"
        else:
            version = version_of(reply.scores, features, self.versions)
            problem = None if version else "an answer of no version"
        return Sample(start - self.started, reply.seconds, version, problem)


def version_of(
    scores: FloatArray, features: FloatArray, versions: Mapping[int, Model]
) -> int | None:
    """The version whose answer it is; none if it is nobody's."""
    for number, model in versions.items():
        expected = model.scores(features)
        if expected.shape == scores.shape and np.abs(expected - scores).max() <= DIFFERENCE_MAX:
            return number
    return None
