"""Five hundred poisoned requests among ten thousand good ones: each good answer is, byte for byte,
what it is without them, each poisoned one is refused, and the process stays the same."""

import gzip
import itertools
import json
import threading

import grpc
import pytest
import requests
from harness.clients import PREDICT, GrpcClient, RestClient, predict_request
from harness.serving_api import tensor_pb2, types_pb2
from harness.tensors import tensor

GOOD_REQUESTS = 10_000
POISONED_REQUESTS = 500
THREADS = 4

PATH = "/v1/models/half_plus_two:predict"
GOOD_JSON = json.dumps({"instances": [1.0, 2.0, 5.0]})
GOOD_MESSAGE = predict_request(
    "half_plus_two", {"x": tensor("float", [1.0, 2.0, 5.0])}
).SerializeToString(deterministic=True)


def poisoned_tensor(sizes, content=b"", floats=(), dtype=types_pb2.DT_FLOAT):
    proto = tensor_pb2.TensorProto(dtype=dtype, tensor_content=content, float_val=floats)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return predict_request("half_plus_two", {"x": proto}).SerializeToString()


POISONED_MESSAGES = {
    "2^40 elements in 100 bytes": poisoned_tensor([1 << 40], content=b"\0" * 100),
    "2^40 elements of one value": poisoned_tensor([1 << 40], floats=[1.0]),
    "a shape that overflows": poisoned_tensor([1 << 40] * 3, floats=[1.0]),
    "a shape that overflows to zero": poisoned_tensor([1 << 32, 1 << 32], floats=[1.0]),
    "bytes that overflow": poisoned_tensor([1 << 61], floats=[1.0]),
    "a negative dimension": poisoned_tensor([-3], floats=[1.0]),
    "the least dimension": poisoned_tensor([-(1 << 63)], floats=[1.0]),
    "a thousand dimensions": poisoned_tensor([1] * 1000, floats=[1.0]),
    "content of another length": poisoned_tensor([3], content=b"\0" * 11),
    "another type": poisoned_tensor([1], content=b"\0" * 4, dtype=types_pb2.DT_INT32),
    "a type that is none": poisoned_tensor([1], dtype=4321),
    "a hundred thousand empty inputs": GOOD_MESSAGE + b"\x12\x00" * 100_000,
    "a hundred thousand inputs": GOOD_MESSAGE
    + b"".join(
        bytes([0x12, 10, 0x0A, 6]) + f"{n:06d}".encode() + b"\x12\x00" for n in range(100_000)
    ),
    "no protobuf": b"\xff" * 100,
    "a length beyond the end": b"\x0a\xff\xff\xff\xff\x7f",
    "a group that never ends": b"\x0b" * 5000,
    "a name with a path": predict_request("../half_plus_two", {}).SerializeToString(),
    "a name with NUL": predict_request("half_plus_two\0", {}).SerializeToString(),
}

POISONED_BODIES = {
    "ten thousand brackets": '{"instances": ' + "[" * 10_000,
    "ten thousand levels": '{"instances": ' + "[" * 10_000 + "]" * 10_000 + "}",
    "ten thousand objects": '{"instances": [' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "]}",
    "a number of a megabyte": '{"instances": [' + "9" * 1_000_000 + "]}",
    "a string of a megabyte": '{"instances": ["' + "a" * 1_000_000 + '"]}',
    "rows of two lengths": '{"instances": [[1.0], [1.0, 2.0]]}',
    "an exponent beyond all": '{"instances": [1e999999999999]}',
    "half a surrogate": '{"instances": ["\\ud800"]}',
    "no text": b'{"instances": ["\xff\xfe"]}',
    "bytes that are no base64": '{"instances": [{"b64": "@@@"}]}',
    "nothing": b"",
    "a NUL": b"\0",
    "a bomb": gzip.compress(b'{"instances": [' + b" " * 100_000_000 + b"1.0]}", 9),
    "half of a gzip": gzip.compress(GOOD_JSON.encode())[:15],
}

POISON = [("grpc", name) for name in POISONED_MESSAGES] + [
    ("rest", name) for name in POISONED_BODIES
]


class Mixer(threading.Thread):
    """Sends its share of good requests and, among them, of poisoned ones."""

    def __init__(self, node, poison, count):
        super().__init__(daemon=True)
        self.rest = RestClient(node.address)
        self.grpc = GrpcClient(node.address)
        self.poison = poison
        self.count = count
        self.answers = set()
        self.refusals = []
        self.failure = None

    def run(self):
        try:
            every = self.count // len(self.poison)
            poison = iter(self.poison)
            for number in range(self.count):
                self.answers.add(self.good(number % 2 == 0))
                if number % every == 0 and (kind := next(poison, None)) is not None:
                    self.refusals.append((kind, self.send(*kind)))
        except Exception as failure:  # Shown by the test; a thread's own is lost.
            self.failure = failure
        finally:
            self.rest.close()
            self.grpc.close()

    def good(self, over_rest):
        if over_rest:
            response = self.rest.post(PATH, GOOD_JSON)
            return ("rest", response.status_code, response.content)
        return ("grpc", self.grpc.call(PREDICT, GOOD_MESSAGE))

    def send(self, protocol, name):
        """The code of the refusal."""
        if protocol == "grpc":
            try:
                self.grpc.call(PREDICT, POISONED_MESSAGES[name])
            except grpc.RpcError as refusal:
                return refusal.code()
            return grpc.StatusCode.OK
        body = POISONED_BODIES[name]
        is_gzip = name in ("a bomb", "half of a gzip")
        headers = {"Content-Encoding": "gzip"} if is_gzip else {}
        try:
            # A connection of its own: a refusal may close it.
            return requests.post(
                self.rest.url + PATH, data=body, headers=headers, timeout=60
            ).status_code
        except requests.ConnectionError:
            return "closed"


@pytest.mark.deadline(240)
def test_good_answers_are_the_same_among_poison(martlet):
    node = martlet.serve(("half_plus_two",))
    alone = Mixer(node, [], 0)
    expected = {alone.good(True), alone.good(False)}
    pid = node.pid
    poison = list(itertools.islice(itertools.cycle(POISON), POISONED_REQUESTS))
    mixers = [
        Mixer(node, poison[number::THREADS], GOOD_REQUESTS // THREADS) for number in range(THREADS)
    ]
    for mixer in mixers:
        mixer.start()
    for mixer in mixers:
        mixer.join()
        assert mixer.failure is None, mixer.failure
    assert set().union(*(mixer.answers for mixer in mixers)) == expected
    refusals = [refusal for mixer in mixers for refusal in mixer.refusals]
    assert len(refusals) == POISONED_REQUESTS
    taken = {kind for kind, code in refusals if code in (200, grpc.StatusCode.OK)}
    assert not taken
    broken = {
        (kind, code)
        for kind, code in refusals
        if code in (500, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
    }
    assert not broken
    node.assert_unharmed()
    assert node.pid == pid
