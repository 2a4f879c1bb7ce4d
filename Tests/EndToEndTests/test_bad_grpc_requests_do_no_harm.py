"""Each bad gRPC request is refused with its code and message, and the next good one is answered."""

import re

import grpc
import pytest
from harness import http2
from harness.clients import PREDICT, predict_request, refused
from harness.serving_api import tensor_pb2, types_pb2
from harness.tensors import empty_tensor, tensor

INVALID = grpc.StatusCode.INVALID_ARGUMENT

# What a good request sends; tests change one thing of it.
GOOD = {"x": tensor("float", [1.0])}


def with_content(dtype, shape, content):
    proto = empty_tensor(dtype, shape)
    proto.tensor_content = content
    return proto


def with_values(shape, *values):
    proto = empty_tensor("float", shape)
    proto.float_val.extend(values)
    return proto


def unknown_rank():
    proto = with_values([], 1.0)
    proto.tensor_shape.unknown_rank = True
    return proto


# Each in place of the input of `half_plus_two`: refused, naming the input.
BAD_TENSORS = {
    "content shorter than the shape": with_content("float", [2], b"\0\0\0\0"),
    "content longer than the shape": with_content("float", [2], b"\0" * 12),
    "content that ends within an element": with_content("float", [2], b"\0" * 7),
    "content for no elements": with_content("float", [0], b"\0\0\0\0"),
    "negative dimension": with_values([-1], 1.0),
    "least dimension": with_values([-(2**63)], 1.0),
    "two negative dimensions with a positive product": with_values([-1, -1], 1.0),
    "elements that overflow 64 bits": with_values([2**40, 2**40], 1.0),
    "elements that overflow to zero": with_values([2**32, 2**32], 1.0),
    "bytes that overflow 64 bits": with_values([2**62], 1.0),
    "zero times an overflow": with_values([0, 2**62, 2**62]),
    "unknown rank": unknown_rank(),
    "no dtype": tensor_pb2.TensorProto(float_val=[1.0]),
    "dtype that does not exist": tensor_pb2.TensorProto(dtype=9999),
    "resource": tensor_pb2.TensorProto(dtype=types_pb2.DT_RESOURCE),
    "variant": tensor_pb2.TensorProto(dtype=types_pb2.DT_VARIANT),
    "a reference": tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT_REF, float_val=[1.0]),
}


@pytest.mark.parametrize("proto", BAD_TENSORS.values(), ids=BAD_TENSORS.keys())
def test_malformed_tensor_is_refused(node, proto):
    with refused(INVALID, re.compile("'x'")):
        node.grpc.predict("half_plus_two", {"x": proto})
    node.assert_unharmed()


def test_tensor_of_too_many_dimensions_is_refused(node):
    with refused(INVALID, re.compile("'x'")):
        node.grpc.predict("half_plus_two", {"x": with_values([1] * 300, 1.0)})
    node.assert_unharmed()


def test_small_message_that_asks_for_gigabytes_is_refused(node):
    with pytest.raises(grpc.RpcError) as error:
        node.grpc.predict("half_plus_two", {"x": with_values([2**34], 1.0)})
    assert error.value.code() in (INVALID, grpc.StatusCode.RESOURCE_EXHAUSTED)
    node.assert_unharmed()


def test_wrong_dtype_is_refused(node):
    message = "Input tensor 'x' has dtype int32; signature 'serving_default' expects float"
    with refused(INVALID, message):
        node.grpc.predict("half_plus_two", {"x": tensor("int32", [1])})
    node.assert_unharmed()


@pytest.mark.parametrize(("shape", "shown"), [([3, 5], "[3,5]"), ([4], "[4]"), ([], "[]")])
def test_wrong_shape_is_refused(node, shape, shown):
    start = f"Input tensor 'x' has shape {shown}; signature 'serving_default' expects [-1,4]"
    with refused(INVALID, re.compile("^" + re.escape(start))):
        node.grpc.predict("dynamic_batch", {"x": tensor("float", [1.0], shape=shape)})
    node.assert_unharmed()


def test_missing_input_is_refused(node):
    message = (
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
        "Sent extra: {}. Missing but required: {b}."
    )
    with refused(INVALID, message):
        node.grpc.predict("multi_input", {"a": tensor("float", [[1, 2]])})
    node.assert_unharmed()


def test_extra_input_is_refused(node):
    message = (
        "input size does not match signature: 2!=1 len({x,z}) != len({x}). "
        "Sent extra: {z}. Missing but required: {}."
    )
    with refused(INVALID, message):
        node.grpc.predict("half_plus_two", {**GOOD, "z": GOOD["x"]})
    node.assert_unharmed()


def test_unknown_output_is_refused(node):
    with refused(INVALID, re.compile("nope")):
        node.grpc.predict("half_plus_two", GOOD, outputs=["nope"])
    node.assert_unharmed()


def test_unknown_model_version_and_signature(node):
    with refused(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(nope)"):
        node.grpc.predict("nope", GOOD)
    message = "Servable not found for request: Specific(half_plus_two, 99)"
    with refused(grpc.StatusCode.NOT_FOUND, message):
        node.grpc.predict("half_plus_two", GOOD, version=99)
    message = 'Serving signature key "nope" not found.'
    with refused(grpc.StatusCode.FAILED_PRECONDITION, message):
        node.grpc.predict("half_plus_two", GOOD, signature="nope")
    node.assert_unharmed()


def test_missing_model_spec_is_refused(node):
    with refused(INVALID, "Missing ModelSpec"):
        node.grpc.call(PREDICT, b"")
    node.assert_unharmed()


@pytest.mark.parametrize(
    "method",
    ["/tensorflow.serving.PredictionService/Nope", "/no.such.Service/Predict", "/nope"],
)
def test_unknown_method_is_unimplemented(node, method):
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        node.grpc.call(method, b"")
    node.assert_unharmed()


@pytest.mark.parametrize(
    "message",
    [b"\xff\xff\xff\xff", b"\x0a\x7f", b"\x0a\x02\x0a\x05", b"\x0a\x80\x80\x80\x80\x80\x80\x80"],
    ids=["no field", "cut off", "cut off inside", "endless length"],
)
def test_unparsable_message_is_refused(node, message):
    with refused(INVALID):
        node.grpc.call(PREDICT, message)
    node.assert_unharmed()


def test_message_nested_thousands_deep_is_refused(node):
    # Variants hold tensors that hold variants: protobuf's own way to exhaust a parser's stack.
    nested = b""
    for _ in range(3000):
        tensors = field(3, nested)
        nested = field(15, tensors)
    request = predict_request("half_plus_two", {}).SerializeToString()
    entry = field(1, b"x") + field(2, b"\x08" + bytes([types_pb2.DT_VARIANT]) + nested)
    with refused(INVALID):
        node.grpc.call(PREDICT, request + field(2, entry))
    node.assert_unharmed()


def field(number, content):
    """A length-delimited protobuf field."""
    length, size = b"", len(content)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def test_message_over_the_limit_is_refused(strict_node):
    values = tensor("float", [1.0] * (1 << 19), form="content")
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        strict_node.grpc.predict("half_plus_two", {"x": values})
    strict_node.assert_unharmed()


def test_message_that_claims_to_be_huge_is_refused_before_it_comes(node):
    ending = http2.call(node.address, PREDICT, http2.frame(b"", length=2**32 - 1), end_stream=False)
    assert ending.status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    node.assert_unharmed()


def test_truncated_frame_is_an_internal_error(node):
    ending = http2.call(node.address, PREDICT, http2.frame(b"\x0a\x05abc", length=100))
    assert ending.status == grpc.StatusCode.INTERNAL.value[0]
    node.assert_unharmed()


def test_truncated_frame_prefix_is_an_internal_error(node):
    ending = http2.call(node.address, PREDICT, b"\x00\x00\x00")
    assert ending.status == grpc.StatusCode.INTERNAL.value[0]
    node.assert_unharmed()


@pytest.mark.parametrize("encoding", [(), (("grpc-encoding", "gzip"),)], ids=["none", "gzip"])
def test_garbage_that_claims_to_be_compressed_is_refused(node, encoding):
    data = http2.frame(b"\xde\xad\xbe\xef" * 16, compressed=1)
    ending = http2.call(node.address, PREDICT, data, headers=encoding)
    codes = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED}
    assert ending.status in {code.value[0] for code in codes}
    node.assert_unharmed()


def test_calls_reset_by_the_client_harm_nobody(node):
    for _ in range(50):
        request = predict_request("half_plus_two", GOOD)
        node.grpc.prediction.Predict.future(request, timeout=60).cancel()
    node.assert_unharmed()
