"""What befalls one of three nodes behind a gateway, and how the gateway takes it."""

import contextlib
import json
import queue
import signal
import threading
import time

import grpc

from harness.clients import GrpcClient, predict_request
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

CHECK_INTERVAL_SECONDS = 0.5
CHECK_TIMEOUT_SECONDS = 1.0

# Two checks in a row must fail: the first begins at the latest an interval after the fault.
PROBE_SECONDS = 2 * (CHECK_INTERVAL_SECONDS + CHECK_TIMEOUT_SECONDS)

QUEUE_CAPACITY = 8


class Trio:
    """Three nodes, or what stands in for them, behind a gateway."""

    def __init__(self, martlet, nodes, *flags, awaited=None):
        self.nodes = nodes
        self.gateway = martlet.gateway(
            nodes,
            *("--no-access-log", "--health-check-interval-seconds", CHECK_INTERVAL_SECONDS),
            *("--health-check-timeout-seconds", CHECK_TIMEOUT_SECONDS),
            *flags,
        )
        self.gateway.await_all_healthy(nodes if awaited is None else awaited)

    def endpoint(self, node):
        return self.gateway.endpoints()[node.address]

    def is_used(self, node):
        endpoint = self.endpoint(node)
        return endpoint["healthy"] and not endpoint["ejected"]

    def await_out_of_use(self, node, seconds=20.0):
        await_until(lambda: not self.is_used(node), f"{node.address} to be out of use", seconds)

    def await_back(self, node):
        """Awaits that it is used, and gets requests."""
        await_until(lambda: self.is_used(node), f"{node.address} to be in use")
        before = self.endpoint(node)["requests"]
        await_until(
            lambda: self.endpoint(node)["requests"] > before, f"{node.address} to get requests"
        )

    def assert_counted(self, load):
        """The gateway has ended every request of the load once, and no other."""
        samples = self.gateway.admin.metrics()
        assert samples.total("martlet_gateway_requests_total") == len(load.requests)


@contextlib.contextmanager
def paused(node):
    """SIGSTOP: the kernel still takes connections and data for it, and it answers nothing."""
    node.send(signal.SIGSTOP)
    try:
        yield
    finally:
        node.send(signal.SIGCONT)


@contextlib.contextmanager
def cut(network):
    """Packets to and from a node are lost."""
    network.cut()
    try:
        yield
    finally:
        network.connect()


def node_with_short_queue(martlet):
    flags = ("--engine-threads", 1, "--queue-capacity", QUEUE_CAPACITY)
    return martlet.serve(("half_plus_two", "matrix"), *flags)


class Filler:
    """Keeps the queue of a node full of slow requests that are sent straight to it."""

    def __init__(self, node, seconds=0.2):
        self.client = GrpcClient(node.address)
        began = time.monotonic()
        self._ask(500).result()
        self.steps = int(500 * seconds / (time.monotonic() - began))
        self.refusals = 0
        self._ended = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        await_until(lambda: self.refusals >= 5, "the queue to be full")
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join(120)
        # The channel cancels what still waits.
        self.client.close()
        assert not self._thread.is_alive(), "the filler never ended"

    def _ask(self, steps):
        request = predict_request("matrix", {"steps": tensor("int32", steps)})
        return self.client.prediction.Predict.future(request, timeout=60)

    def _send(self):
        self._ask(self.steps).add_done_callback(self._ended.put)

    def _run(self):
        # One runs, the queue holds its most, and two are refused and sent again.
        for _ in range(QUEUE_CAPACITY + 3):
            self._send()
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Empty):
                call = self._ended.get(timeout=0.1)
                if call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    self.refusals += 1
                    time.sleep(0.005)
                self._send()


@contextlib.contextmanager
def failing_node(status):
    """A node that is well by all that it says of itself, and answers each prediction at once by an
    error."""

    def answer(handler, _):
        handler.send(status, b'{"error": "out of order"}', **{"content-type": "application/json"})

    with stand_in(answer, well_by_its_word()) as server:
        yield server


@contextlib.contextmanager
def silent_node():
    """A node that is well by all that it says of itself, and answers no prediction ever."""
    over = threading.Event()
    with stand_in(lambda *_: over.wait(), well_by_its_word()) as server:
        yield server
        over.set()


def well_by_its_word(*models):
    """The pages that health checks ask for, of a node with these models, or half_plus_two."""
    version = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    listing = {
        "models": [
            {"name": name, "model_version_status": [version]}
            for name in models or ("half_plus_two",)
        ]
    }
    return {"/healthz/ready": b'{"status": "ready"}', "/v1/models": json.dumps(listing).encode()}
