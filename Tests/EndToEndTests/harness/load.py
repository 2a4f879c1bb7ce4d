"""Continuous load, and what became of every request of it."""

import itertools
import threading
import time

import grpc
import requests

from harness.clients import GrpcClient, RestClient
from harness.tensors import array_of, tensor
from harness.waiting import await_until

# Between two requests of one thread: enough to leave the processor to those under test.
PAUSE_SECONDS = 0.002


class Load:
    """Threads that ask `half_plus_two` for 1.0 over both protocols until the block ends.

    `answers` holds, for each thread, its answers in order; `failures` whatever else happened.
    """

    def __init__(self, address, rest_threads=2, grpc_threads=2):
        self.address = address
        self.answers = []
        self.failures = []
        self._stopping = threading.Event()
        kinds = [RestCaller] * rest_threads + [GrpcCaller] * grpc_threads
        self._threads = [
            threading.Thread(target=self._run, args=(kind, self._record()), daemon=True)
            for kind in kinds
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.await_more(1)
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a request of the load never ended"

    def await_more(self, count=20):
        """Awaits so many further answers of every thread."""
        targets = [len(record) + count for record in self.answers]

        def reached():
            assert not self.failures, self.failures[:3]
            return all(len(r) >= n for r, n in zip(self.answers, targets, strict=True))

        await_until(reached, f"{count} more answers of each thread of load")

    def values(self):
        return set(itertools.chain.from_iterable(self.answers))

    def _record(self):
        self.answers.append([])
        return self.answers[-1]

    def _run(self, kind, record):
        caller = kind(self.address)
        try:
            while not self._stopping.is_set():
                try:
                    record.append(caller.ask())
                except (AssertionError, grpc.RpcError, requests.RequestException) as failure:
                    self.failures.append(f"{kind.__name__}: {failure!r}")
                time.sleep(PAUSE_SECONDS)
        finally:
            caller.client.close()


class RestCaller:
    def __init__(self, address):
        self.client = RestClient(address)

    def ask(self):
        response = self.client.predict("half_plus_two", {"instances": [1.0]})
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()["predictions"][0]


class GrpcCaller:
    def __init__(self, address):
        self.client = GrpcClient(address)
        self.inputs = {"x": tensor("float", [1.0])}

    def ask(self):
        answer = self.client.predict("half_plus_two", self.inputs)
        return float(array_of(answer.outputs["y"])[0])
