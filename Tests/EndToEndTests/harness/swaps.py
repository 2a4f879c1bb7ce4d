"""A load whose every request is its own, what became of each, and the swaps it goes through."""

import shutil
import threading

import grpc
import requests

from harness.clients import GrpcClient, RestClient
from harness.models import HALF_PLUS_THREE, HALF_PLUS_TWO, add_version
from harness.serving_api import model_management_pb2
from harness.tensors import array_of, tensor

# Floats hold these exactly, and half of them too.
NUMBERS = 1 << 22


class Ledger:
    """Requests sent, answered, refused before they were sent, failed, and answered wrongly."""

    def __init__(self):
        self.sent = 0
        self.answered = 0
        self.unsent = 0
        self.failures = []
        self.wrong = []
        self._lock = threading.Lock()

    def next(self, numbers):
        with self._lock:
            self.sent += 1
            return next(numbers) % NUMBERS

    def refuse(self):
        with self._lock:
            self.sent -= 1
            self.unsent += 1

    def fail(self, kind, number, failure):
        with self._lock:
            self.failures.append(f"{kind} {number}: {failure!r}")

    def answer(self, kind, number, values):
        """The one answer of a request, by either version: another's answer is a doubled one."""
        with self._lock:
            self.answered += 1
            if values not in ([number / 2 + 2], [number / 2 + 3]):
                self.wrong.append(f"{kind} {number}: {values}")


class LoadThread(threading.Thread):
    """Asks `half_plus_two` for one number after the other until the node takes no connection."""

    def __init__(self, kind, address, ledger, numbers):
        super().__init__(daemon=True)
        self.kind = kind
        self.ledger = ledger
        self.numbers = numbers
        self.stopping = threading.Event()
        self.client = (RestClient if kind == "rest" else GrpcClient)(address)
        self.ask = self.ask_rest if kind == "rest" else self.ask_grpc

    def run(self):
        try:
            while not self.stopping.is_set():
                number = self.ledger.next(self.numbers)
                try:
                    self.ledger.answer(self.kind, number, self.ask(float(number)))
                except (AssertionError, grpc.RpcError, requests.RequestException) as failure:
                    if was_never_sent(failure):
                        self.ledger.refuse()
                    else:
                        self.ledger.fail(self.kind, number, failure)
                    self.stopping.wait(0.05)
        finally:
            self.client.close()

    def stop(self):
        self.stopping.set()
        self.join(120)
        assert not self.is_alive(), "a request of the load never ended"

    def ask_rest(self, number):
        response = self.client.predict("half_plus_two", {"instances": [number]})
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()["predictions"]

    def ask_grpc(self, number):
        answer = self.client.predict("half_plus_two", {"x": tensor("float", [number])})
        return array_of(answer.outputs["y"]).tolist()


def was_never_sent(failure):
    """Whether no connection could be made: only then may a client ask again whatever it asks."""
    if isinstance(failure, grpc.RpcError):
        return failure.code() == grpc.StatusCode.UNAVAILABLE and (
            "onnection refused" in failure.details()
        )
    return isinstance(failure, requests.ConnectionError) and "refused" in str(failure)


class Swapper:
    """Adds a version, reloads the configuration and removes a version, over and over."""

    def __init__(self, node, model):
        self.node = node
        self.model = model
        self.version = 1
        self.swaps = 0
        self.reloads = 0

    def step(self):
        version = self.version + 1
        add_version(self.model, version, HALF_PLUS_TWO if version % 2 else HALF_PLUS_THREE)
        self.node.await_state("half_plus_two", version, "AVAILABLE", 30.0)
        self.node.await_state("half_plus_two", self.version, "END", 30.0)
        self.reload()
        shutil.rmtree(self.model / str(self.version))
        self.version = version
        self.swaps += 1

    def reload(self):
        request = model_management_pb2.ReloadConfigRequest()
        entry = request.config.model_config_list.config.add()
        entry.name = "half_plus_two"
        entry.base_path = str(self.model)
        entry.model_platform = "tensorflow"
        self.node.grpc.models.HandleReloadConfigRequest(request, timeout=60)
        self.reloads += 1
