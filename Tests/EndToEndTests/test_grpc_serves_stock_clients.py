"""Predict, metadata, status and health through the stock TensorFlow Serving stubs."""

import re

import grpc
import numpy as np
import pytest
from harness import http2
from harness.clients import PREDICT, assert_unharmed, predict_request, refused
from harness.serving_api import get_model_metadata_pb2, get_model_status_pb2, health_pb2, types_pb2
from harness.tensors import DTYPES, array_of, empty_tensor, extremes, same, tensor
from harness.waiting import await_until

AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


def identity(node, dtype, proto):
    answer = node.grpc.predict("dtypes", {"x": proto}, signature=f"identity_{dtype}")
    assert list(answer.outputs) == ["y"]
    assert answer.outputs["y"].dtype == DTYPES[dtype].number
    return array_of(answer.outputs["y"])


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_as_typed_values(node, dtype):
    values = extremes(dtype)
    assert same(identity(node, dtype, tensor(dtype, values)), values)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "string"])
def test_dtype_as_tensor_content(node, dtype):
    values = extremes(dtype)
    assert same(identity(node, dtype, tensor(dtype, values, form="content")), values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_single_typed_value_fills_the_whole_tensor(node, dtype):
    values = extremes(dtype)[1:2]
    assert same(identity(node, dtype, tensor(dtype, values, shape=[5])), np.repeat(values, 5))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_last_of_too_few_typed_values_fills_the_rest(node, dtype):
    values = extremes(dtype)[:2]
    filled = np.concatenate([values, np.repeat(values[1:], 3)])
    assert same(identity(node, dtype, tensor(dtype, values, shape=[5])), filled)


@pytest.mark.parametrize("dtype", ["float", "int64", "string"])
def test_no_elements_at_all(node, dtype):
    answer = identity(node, dtype, empty_tensor(dtype, [0]))
    assert answer.shape == (0,)


def test_a_large_batch(node):
    values = np.arange(100_000, dtype=np.float32)
    answer = node.grpc.predict("half_plus_two", {"x": tensor("float", values, form="content")})
    assert same(array_of(answer.outputs["y"]), values / 2 + 2)


def test_a_matrix_keeps_its_rows(node):
    rows = [[1, 2, 3, 4], [0, 0, 0, 1]]
    answer = node.grpc.predict("dynamic_batch", {"x": tensor("float", rows)})
    assert array_of(answer.outputs["y"]).tolist() == [[5.5, 6.0, 6.5], [1.5, 1.0, 0.5]]


def test_an_input_with_a_default_may_be_left_out(node):
    x = tensor("float", [1.0, 2.0])
    answer = node.grpc.predict("legacy_examples", {"x": x}, signature="scaled")
    assert array_of(answer.outputs["y"]).tolist() == [3.0, 6.0]
    inputs = {"x": x, "factor": tensor("float", 2.0)}
    answer = node.grpc.predict("legacy_examples", inputs, signature="scaled")
    assert array_of(answer.outputs["y"]).tolist() == [2.0, 4.0]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, re.compile(r"Missing but required: \{x\}")):
        node.grpc.predict("legacy_examples", {}, signature="scaled")


def test_scalars_in_and_out(node):
    answer = node.grpc.predict("matrix", {"steps": tensor("int32", 7)})
    assert array_of(answer.outputs["done"]) == 7
    assert array_of(answer.outputs["checksum"]) == 1.0


def test_several_inputs_and_outputs(node):
    inputs = {"a": tensor("float", [[1, 2]]), "b": tensor("float", [[3, 4]])}
    answer = node.grpc.predict("multi_input", inputs)
    assert {name: array_of(t).tolist() for name, t in answer.outputs.items()} == {
        "sum": [[4.0, 6.0]],
        "product": [[3.0, 8.0]],
    }


def test_strings_and_bytes(node):
    answer = node.grpc.predict("strings", {"text": tensor("string", [b"abc", b"swift"])})
    assert array_of(answer.outputs["upper"]).tolist() == [b"ABC", b"SWIFT"]
    assert array_of(answer.outputs["length"]).tolist() == [3, 5]
    assert array_of(answer.outputs["raw_bytes"]).tolist() == [b"abc", b"swift"]


def test_output_filter_returns_only_what_it_names(node):
    inputs = {"a": tensor("float", [[1, 2]]), "b": tensor("float", [[3, 4]])}
    answer = node.grpc.predict("multi_input", inputs, outputs=["sum"])
    assert list(answer.outputs) == ["sum"]
    assert array_of(answer.outputs["sum"]).tolist() == [[4.0, 6.0]]


def test_answer_names_the_version_and_signature_that_made_it(node):
    answer = node.grpc.predict("half_plus_two", {"x": tensor("float", [1.0])})
    assert answer.model_spec.name == "half_plus_two"
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == "serving_default"

    inputs = {"points": tensor("int64", [[1, 2]])}
    answer = node.grpc.predict("multi_signature", inputs, version=1, signature="shift")
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == "shift"
    assert array_of(answer.outputs["shifted"]).tolist() == [[11, 22]]


def test_many_calls_at_once_on_one_connection(node):
    calls = [
        node.grpc.prediction.Predict.future(
            predict_request("half_plus_two", {"x": tensor("float", [float(i)])}), timeout=60
        )
        for i in range(200)
    ]
    answers = [array_of(call.result().outputs["y"]).tolist() for call in calls]
    assert answers == [[i / 2 + 2] for i in range(200)]


def test_metadata_describes_inputs_and_outputs_of_each_signature(node):
    answer = node.grpc.metadata("multi_signature")
    assert answer.model_spec.name == "multi_signature"
    assert answer.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "scale", "shift", "total"} <= set(signatures.signature_def)
    points = signatures.signature_def["shift"].inputs["points"]
    assert points.dtype == types_pb2.DT_INT64
    assert [dim.size for dim in points.tensor_shape.dim] == [-1, 2]
    assert set(signatures.signature_def["scale"].inputs) == {"values", "factor"}


@pytest.mark.parametrize("fields", [(), ("nope",)], ids=["none", "unknown"])
def test_metadata_without_a_known_field_is_refused(node, fields):
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        node.grpc.metadata("half_plus_two", fields)
    node.assert_unharmed()


def test_metadata_of_an_unknown_model(node):
    with refused(grpc.StatusCode.NOT_FOUND):
        node.grpc.metadata("nope")


def test_status_of_a_model_and_of_one_version(node):
    for version in (None, 1):
        (status,) = node.grpc.status("half_plus_two", version).model_version_status
        assert (status.version, status.state) == (1, AVAILABLE)
        assert (status.status.error_code, status.status.error_message) == (0, "")


def test_status_of_what_does_not_exist(node):
    with refused(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model nope"):
        node.grpc.status("nope")
    message = "Could not find version 99 of model half_plus_two"
    with refused(grpc.StatusCode.NOT_FOUND, message):
        node.grpc.status("half_plus_two", 99)


def test_health_check_of_the_whole_server(node):
    assert node.grpc.check("").status == health_pb2.HealthCheckResponse.SERVING


def test_health_check_of_an_unknown_service(node):
    with refused(grpc.StatusCode.NOT_FOUND, re.compile("")):
        node.grpc.check("no.such.Service")


def test_deadline_ends_the_call_and_harms_nobody(node, steps_lasting):
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        node.grpc.predict("matrix", {"steps": tensor("int32", steps_lasting(2))}, timeout=0.3)
    assert_unharmed(node)
    await_until(
        lambda: node.rest.metrics().total("martlet_requests_in_flight") <= 1,
        "the request to leave the server",
    )


def test_deadline_is_kept_by_the_server_itself(node, steps_lasting):
    request = predict_request("matrix", {"steps": tensor("int32", steps_lasting(3))})
    ending = http2.call(
        node.address,
        PREDICT,
        http2.frame(request.SerializeToString()),
        headers=[("grpc-timeout", "300m")],
    )
    assert ending.status == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    node.assert_unharmed()


def test_a_call_that_the_client_cancels_harms_nobody(node, steps_lasting):
    request = predict_request("matrix", {"steps": tensor("int32", steps_lasting(1))})
    call = node.grpc.prediction.Predict.future(request, timeout=60)
    node.await_in_flight(1)
    call.cancel()
    node.assert_unharmed()
