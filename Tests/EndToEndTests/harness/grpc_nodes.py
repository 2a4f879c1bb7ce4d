"""What stands in for nodes over gRPC: servers of grpcio that answer as a test says."""

import concurrent.futures
import contextlib
import threading

import grpc
from grpc_health.v1 import health

from harness.serving_api import health_pb2_grpc, predict_pb2
from harness.tensors import array_of, tensor

# Such nodes speak no HTTP/1.1, so a gateway cannot ask them by GET whether they are well.
CHECKS = {"protocol": "tcp", "interval_seconds": 0.2}

PREDICT = "/tensorflow.serving.PredictionService/Predict"


class GrpcNode(grpc.GenericRpcHandler):
    """Answers each call by `answer(node, message, context)`, in bytes as the question is.

    `methods` are those that were called, checks of health aside.
    """

    def __init__(self, answer, threads=16):
        self.answer = answer
        self.methods = []
        self.health = health.HealthServicer()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(threads))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def service(self, handler_call_details):
        def call(message, context):
            self.methods.append(handler_call_details.method)
            return self.answer(self, message, context)

        return grpc.unary_unary_rpc_method_handler(call)


@contextlib.contextmanager
def grpc_node(answer):
    node = GrpcNode(answer)
    node.server.start()
    try:
        yield node
    finally:
        node.server.stop(0).wait()


def answer_y(value):
    """Answers predictions by a `y` of this value."""
    response = predict_pb2.PredictResponse()
    response.outputs["y"].CopyFrom(tensor("float", [value]))
    message = response.SerializeToString()
    return lambda *_: message


def y_of(response):
    return array_of(response.outputs["y"]).tolist()


@contextlib.contextmanager
def held_grpc_node(value=1.0):
    """A node that answers when it is told by `release()`; its `held` counts what it got, and its
    `cancelled` what ended before that."""
    answer_well = answer_y(value)
    held, cancelled = threading.Semaphore(0), threading.Semaphore(0)
    waiting = []

    def answer(_, __, context):
        woken = threading.Event()
        waiting.append(woken)
        context.add_callback(woken.set)
        held.release()
        if not node.is_released:
            woken.wait(100)
        if not context.is_active():
            cancelled.release()
        return answer_well()

    def release():
        node.is_released = True
        for woken in waiting:
            woken.set()

    with grpc_node(answer) as node:
        node.held, node.cancelled, node.release, node.is_released = held, cancelled, release, False
        yield node
        release()
