"""Small messages that would grow, or make much of little."""

import gzip

import grpc
import requests

from harness.clients import CLASSIFY, PREDICT, GrpcClient, RestClient, predict_request
from harness.tensors import tensor

PATH = "/v1/models/half_plus_two:predict"
GZIP = {"Content-Encoding": "gzip"}
ONE = predict_request("half_plus_two", {"x": tensor("float", [1.0])}).SerializeToString()

# Bodies, and headers that go with them.
REST_BOMBS = {
    "a million brackets": (b'{"instances": ' + b"[" * 1_000_000, {}),
    "a million objects": (b'{"a":' * 1_000_000, {}),
    "gzip of zeros": (gzip.compress(bytes(1 << 28)), GZIP),
    "gzip of brackets": (gzip.compress(b'{"instances": ' + b"[" * (1 << 27)), GZIP),
    "gzip of gzip": (gzip.compress(gzip.compress(bytes(1 << 28))), GZIP),
    "a header of a megabyte": (b"{}", {"x-long": "a" * (1 << 20)}),
    "ten thousand headers": (b"{}", {f"x-{n}": "a" for n in range(10_000)}),
}


def part(number, content):
    """A field of a message that has a length."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


SPEC = part(1, part(1, b"half_plus_two"))
# Half a million of each, within the limit of a message in bytes and within one field of it.
EMPTY_EXAMPLES = SPEC + part(2, part(1, b"\x0a\x00" * 500_000))
EMPTY_FEATURES = SPEC + part(2, part(1, part(1, part(1, b"\x0a\x00" * 500_000))))
EMPTY_DIMENSIONS = SPEC + part(2, part(1, b"x") + part(2, part(2, b"\x12\x00" * 500_000)))
EMPTY_STRINGS = SPEC + part(2, part(1, b"x") + part(2, b"\x42\x00" * 2_000_000))

# The method, the message, and whether it is compressed on the way.
GRPC_BOMBS = {
    "ten million empty fields": (PREDICT, ONE + b"\x12\x00" * 10_000_000, False),
    # Within the limit of a message in bytes.
    "half a million empty inputs": (PREDICT, ONE + b"\x12\x00" * 500_000, False),
    "half a million unknown fields": (PREDICT, ONE + b"\x7a\x00" * 500_000, False),
    "half a million empty examples": (CLASSIFY, EMPTY_EXAMPLES, False),
    "half a million empty features": (CLASSIFY, EMPTY_FEATURES, False),
    "half a million dimensions": (PREDICT, EMPTY_DIMENSIONS, False),
    "two million empty strings": (PREDICT, EMPTY_STRINGS, False),
    "gzip of ten million empty fields": (PREDICT, ONE + b"\x12\x00" * 10_000_000, True),
    "gzip of zeros": (PREDICT, bytes(1 << 28), True),
    "a million groups": (PREDICT, b"\x0b" * 1_000_000, False),
}


def refusal_of_rest(address, name):
    """The status, or the connection that was closed while the bomb was still being sent."""
    body, headers = REST_BOMBS[name]
    client = RestClient(address)
    try:
        return client.post(PATH, body, headers=headers).status_code
    except requests.ConnectionError:
        return "closed"
    finally:
        client.close()


def refusal_of_grpc(address, name):
    method, message, compressed = GRPC_BOMBS[name]
    client = GrpcClient(address)
    compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
    try:
        client.channel.unary_unary(method)(message, timeout=60, compression=compression)
        return grpc.StatusCode.OK
    except grpc.RpcError as refusal:
        return refusal.code()
    finally:
        client.close()
