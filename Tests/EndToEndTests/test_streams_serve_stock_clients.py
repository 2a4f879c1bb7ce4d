"""Streaming gRPC: inference through the stock tritonclient, health through the stock stubs."""

import contextlib
import queue
import signal

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from harness import models
from harness.clients import GrpcClient, refused
from harness.serving_api import health_pb2
from harness.waiting import await_until
from tritonclient.utils import InferenceServerException

SECONDS = 90
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Stream:
    """A stream of the stock client; what its callback is given waits in a queue."""

    def __init__(self, address, **options):
        self.stock = tritonclient.grpc.InferenceServerClient(address)
        self.answers = queue.Queue()
        self.stock.start_stream(lambda result, error: self.answers.put((result, error)), **options)

    def send(self, model, name, datatype, array, **options):
        tensor = tritonclient.grpc.InferInput(name, array.shape, datatype)
        tensor.set_data_from_numpy(array)
        self.stock.async_stream_infer(model, [tensor], **options)

    def half_plus_two(self, value, **options):
        self.send("half_plus_two", "x", "FP32", np.array([value], np.float32), **options)

    def next(self):
        return self.answers.get(timeout=SECONDS)

    def result(self):
        result, error = self.next()
        assert error is None, error
        return result

    def error(self):
        _, error = self.next()
        assert isinstance(error, InferenceServerException)
        return error


@contextlib.contextmanager
def stream_of(node, **options):
    stream = Stream(node.address, **options)
    try:
        yield stream
    finally:
        stream.stock.stop_stream(cancel_requests=True)
        stream.stock.close()


def infer_count(node, code="OK"):
    return node.rest.metrics().total(
        "martlet_requests_total", method="stream_infer", code=code, api="grpc"
    )


def test_answers_come_in_the_order_of_their_requests(node):
    before = infer_count(node)
    with stream_of(node) as stream:
        for number in range(500):
            stream.half_plus_two(number, request_id=str(number))
        for number in range(500):
            result = stream.result()
            assert result.get_response().id == str(number)
            assert result.as_numpy("y").tolist() == [number / 2 + 2]
        stream.stock.stop_stream()
    assert infer_count(node) == before + 500


def test_slow_request_is_answered_before_a_fast_one_behind_it(node, steps_lasting):
    with stream_of(node) as stream:
        steps = np.array(steps_lasting(0.5), np.int32)
        stream.send("matrix", "steps", "INT32", steps, request_id="slow")
        stream.half_plus_two(1.0, request_id="fast")
        assert [stream.result().get_response().id for _ in range(2)] == ["slow", "fast"]


def test_error_ends_its_request_and_not_the_stream(node):
    with stream_of(node) as stream:
        stream.half_plus_two(1.0)
        stream.send("nope", "x", "FP32", np.array([1.0], np.float32))
        stream.send("half_plus_two", "x", "INT64", np.array([1]))
        stream.half_plus_two(2.0)
        assert stream.result().as_numpy("y").tolist() == [2.5]
        assert "Request for unknown model: 'nope' is not found" in stream.error().message()
        assert "x" in stream.error().message()
        assert stream.result().as_numpy("y").tolist() == [3.0]


def test_client_that_goes_takes_its_queued_requests_along(martlet, steps_lasting):
    node = martlet.serve(("matrix",), "--engine-threads", 1, "--max-stream-requests", 8)
    steps = np.array(steps_lasting(1), np.int32)
    with stream_of(node) as stream:
        for _ in range(40):
            stream.send("matrix", "steps", "INT32", steps)
        node.await_in_flight(8)
        stream.stock.stop_stream(cancel_requests=True)
        await_until(
            lambda: node.rest.metrics().total("martlet_requests_in_flight") <= 1,
            "the requests to leave the server",
            10,
        )
    # Those beyond the bound were never taken in.
    assert infer_count(node) + infer_count(node, "CANCELLED") == 8
    assert infer_count(node, "CANCELLED") >= 6


def test_deadline_of_the_stream_ends_it(node, steps_lasting):
    with stream_of(node, stream_timeout=0.5) as stream:
        stream.send("matrix", "steps", "INT32", np.array(steps_lasting(2), np.int32))
        assert stream.error().status() == "StatusCode.DEADLINE_EXCEEDED"


def test_every_message_has_a_line_in_the_access_log(martlet):
    node = martlet.serve(access_log=True)
    with stream_of(node) as stream:
        stream.half_plus_two(1.0)
        stream.result()
        stream.send("nope", "x", "FP32", np.array([1.0], np.float32))
        stream.error()

    def lines():
        return [line for line in node.log_lines() if "ModelStreamInfer" in line]

    await_until(lambda: len(lines()) == 2, "two lines")
    assert '"OK"' in lines()[0]
    assert '"NOT_FOUND"' in lines()[1]


def test_drain_answers_what_was_taken_in_and_ends_the_stream(martlet, steps_lasting):
    node = martlet.serve(("matrix",))
    with stream_of(node) as stream:
        steps = np.array(steps_lasting(1), np.int32)
        stream.send("matrix", "steps", "INT32", steps)
        node.await_in_flight(1)
        node.send(signal.SIGTERM)
        assert stream.result().as_numpy("done").tolist() == steps.tolist()
        assert stream.error().status() == "StatusCode.UNAVAILABLE"
        assert node.wait() == 0


def watch(client, service=""):
    request = health_pb2.HealthCheckRequest(service=service)
    return client.health.Watch(request, timeout=SECONDS)


def test_watch_tells_the_state_at_once(node):
    for service in ("", "tensorflow.serving.PredictionService", "half_plus_two"):
        assert next(watch(node.grpc, service)).status == SERVING
    assert next(watch(node.grpc, "no.such.Service")).status == SERVICE_UNKNOWN


def test_check_knows_models_by_their_names(node):
    assert node.grpc.check("half_plus_two").status == SERVING


def test_watch_tells_each_change(martlet, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    node = martlet.serve((), "--model-root", root, "--poll-interval-seconds", 0.1)
    client = GrpcClient(node.address)
    with contextlib.closing(client):
        model = watch(client, "late")
        assert next(model).status == SERVICE_UNKNOWN
        models.model_folder(root, "late")
        states = [next(model).status]
        while states[-1] != SERVING:
            states.append(next(model).status)
        assert states in ([SERVING], [NOT_SERVING, SERVING])


@pytest.mark.deadline(60)
def test_watch_does_not_hold_the_drain(martlet):
    node = martlet.serve(("half_plus_two",), "--drain-seconds", 20)
    client = GrpcClient(node.address)
    with contextlib.closing(client):
        whole = watch(client)
        assert next(whole).status == SERVING
        node.send(signal.SIGTERM)
        assert next(whole).status == NOT_SERVING
        with refused(grpc.StatusCode.UNAVAILABLE):
            next(whole)
        assert node.wait(100) == 0
