"""REST predictions, model status and metadata, down to the exact text."""

import base64
import json
import re

import numpy as np
import pytest
from harness.clients import assert_rest_error
from harness.http1 import RawConnection, post

INTEGER_RANGES = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}


def predict(node, model, body, version=None):
    response = node.rest.predict(model, body, version=version)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    return response


def identity(node, dtype, values):
    body = {"signature_name": f"identity_{dtype}", "instances": values}
    return predict(node, "dtypes", body)


def test_predict_rows_returns_predictions_in_order(node):
    response = predict(node, "half_plus_two", {"instances": [1.0, 2.0, 5.0]})
    assert response.text == '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'


def test_predict_columns_returns_outputs_one_a_line(node):
    response = predict(node, "half_plus_two", {"inputs": [1.0, 2.0, 5.0]})
    assert response.text == (
        '{\n    "outputs": [\n        2.5,\n        3.0,\n        4.5\n    ]\n}'
    )


def test_predict_rows_of_vectors_keeps_each_row_on_the_line(node):
    response = predict(node, "dynamic_batch", {"instances": [[1, 2, 3, 4], [0, 0, 0, 1]]})
    assert response.text == ('{\n    "predictions": [[5.5, 6.0, 6.5], [1.5, 1.0, 0.5]\n    ]\n}')


def test_predict_a_single_row_and_many_rows_in_one_batch(node):
    for count in (1, 2, 1000):
        values = [float(i) for i in range(count)]
        response = predict(node, "half_plus_two", {"instances": values})
        assert response.json() == {"predictions": [v / 2 + 2 for v in values]}


def test_predict_rows_named_by_their_only_input(node):
    response = predict(node, "half_plus_two", {"instances": [{"x": 1.0}, {"x": 2.0}]})
    assert response.json() == {"predictions": [2.5, 3.0]}


def test_predict_rows_of_several_inputs_returns_objects_with_sorted_keys(node):
    body = {"instances": [{"b": [3.0, 4.0], "a": [1.0, 2.0]}, {"a": [0.0, 1.0], "b": [5.0, 6.0]}]}
    response = predict(node, "multi_input", body)
    assert response.text == (
        "{\n"
        '    "predictions": [\n'
        "        {\n"
        '            "product": [3.0, 8.0],\n'
        '            "sum": [4.0, 6.0]\n'
        "        },\n"
        "        {\n"
        '            "product": [0.0, 6.0],\n'
        '            "sum": [5.0, 7.0]\n'
        "        }\n"
        "    ]\n"
        "}"
    )


def test_predict_columns_of_several_inputs_returns_an_object_with_sorted_keys(node):
    body = {"inputs": {"a": [[1.0, 2.0], [3.0, 4.0]], "b": [[10.0, 20.0], [30.0, 40.0]]}}
    response = predict(node, "multi_input", body)
    expected = {
        "outputs": {
            "product": [[10.0, 40.0], [90.0, 160.0]],
            "sum": [[11.0, 22.0], [33.0, 44.0]],
        }
    }
    assert response.text == json.dumps(expected, indent=4)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": [3.0]}, {"predictions": [9.0]}),
        (
            {"signature_name": "serving_default", "instances": [3.0]},
            {"predictions": [9.0]},
        ),
        (
            {"signature_name": "scale", "instances": [{"values": 3.0, "factor": 2.0}]},
            {"predictions": [6.0]},
        ),
        (
            {"signature_name": "scale", "inputs": {"values": [3.0, 4.0], "factor": [2.0, 0.5]}},
            {"outputs": [6.0, 2.0]},
        ),
        (
            {"signature_name": "shift", "instances": [[1, 2], [3, 4]]},
            {"predictions": [[11, 22], [13, 24]]},
        ),
    ],
)
def test_predict_runs_the_signature_asked_for(node, body, answer):
    assert predict(node, "multi_signature", body).json() == answer


def test_predict_returns_a_scalar_without_brackets(node):
    response = predict(node, "multi_signature", {"signature_name": "total", "inputs": [1, 2, 3]})
    assert response.text == '{\n    "outputs": 6.0\n}'


def test_predict_takes_a_scalar_without_brackets(node):
    response = predict(node, "matrix", {"inputs": 3})
    assert response.json() == {"outputs": {"checksum": 1.0, "done": 3}}


def test_predict_rows_refuses_a_scalar_output(node):
    body = {"signature_name": "total", "instances": [1.0, 2.0]}
    assert_rest_error(
        node.rest.predict("multi_signature", body),
        400,
        re.compile("Tensor name: total has no shape information"),
    )


def test_predict_pinned_to_a_version(node):
    assert predict(node, "half_plus_two", {"instances": [1.0]}, version=1).json() == {
        "predictions": [2.5]
    }


def test_predict_with_a_table_read_from_an_asset(node):
    body = {"instances": ["martlet", "swallow", "crow"]}
    assert predict(node, "with_asset", body).json() == {"predictions": [0, 2, -1]}


def test_predict_with_the_scalar_variables_of_tensorflow_1(node):
    assert predict(node, "legacy_scalar", {"instances": [1.0, 2.0]}).json() == {
        "predictions": [4.0, 7.0]
    }


def test_predict_from_a_chunked_body(node):
    chunks = iter([b'{"insta', b'nces": [1.', b"0, 2.0]}"])
    response = node.rest.session.post(
        f"{node.rest.url}/v1/models/half_plus_two:predict", data=chunks, timeout=60
    )
    assert response.json() == {"predictions": [2.5, 3.0]}


def test_strings_in_and_out(node):
    body = {"instances": ["abc", "Mauersegler"]}
    assert predict(node, "strings", body).json() == {
        "predictions": [
            {"length": 3, "raw_bytes": {"b64": "YWJj"}, "upper": "ABC"},
            {"length": 11, "raw_bytes": {"b64": "TWF1ZXJzZWdsZXI="}, "upper": "MAUERSEGLER"},
        ]
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        'quote " backslash \\ slash /',
        "line\nreturn\rtab\tbackspace\bfeed\f",
        "control \x01\x1f delete \x7f",
        "nul \x00 inside",
        "é ß 鳥 \N{BIRD}",
    ],
)
def test_strings_with_every_kind_of_character_come_back_as_sent(node, text):
    for body in (json.dumps, lambda value: json.dumps(value, ensure_ascii=False).encode()):
        request = body({"signature_name": "identity_string", "instances": [text]})
        assert predict(node, "dtypes", request).json() == {"predictions": [text]}


def test_bytes_in_and_out_as_base64(node):
    every_byte = bytes(range(256))
    encoded = {"b64": base64.b64encode(every_byte).decode()}
    body = {"signature_name": "echo", "instances": [encoded, {"b64": ""}]}
    assert predict(node, "strings", body).json() == {"predictions": [encoded, {"b64": ""}]}


def test_bytes_as_base64_in_a_named_input_and_in_columns(node):
    encoded = {"b64": "AAH+/w=="}
    rows = {"signature_name": "echo", "instances": [{"text": encoded}]}
    assert predict(node, "strings", rows).json() == {"predictions": [encoded]}
    columns = {"signature_name": "echo", "inputs": {"text": [encoded]}}
    assert predict(node, "strings", columns).json() == {"outputs": [encoded]}


@pytest.mark.parametrize("dtype", INTEGER_RANGES)
def test_integers_keep_their_whole_range(node, dtype):
    least, greatest = INTEGER_RANGES[dtype]
    response = identity(node, dtype, [least, greatest, 0, 1])
    assert response.text == f'{{\n    "predictions": [{least}, {greatest}, 0, 1\n    ]\n}}'


@pytest.mark.parametrize("dtype", INTEGER_RANGES)
@pytest.mark.parametrize("side", [0, 1], ids=["below", "above"])
def test_integers_out_of_range_are_refused(node, dtype, side):
    value = INTEGER_RANGES[dtype][side] + (1 if side else -1)
    body = {"signature_name": f"identity_{dtype}", "instances": [0, value]}
    assert_rest_error(
        node.rest.predict("dtypes", body),
        400,
        # A number beyond 64 bits is shown as the floating-point number that it was read as.
        re.compile(
            r"^Failed to process element: 1 of 'instances' list\. Error: INVALID_ARGUMENT: "
            rf"JSON Value: -?[\d.e+]+ Type: Number is not of expected type: {dtype}$"
        ),
    )


def test_300_is_no_int8(node):
    body = {"signature_name": "identity_int8", "instances": [300]}
    assert_rest_error(
        node.rest.predict("dtypes", body),
        400,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON Value: 300 Type: Number is not of expected type: int8",
    )


def test_booleans(node):
    response = identity(node, "bool", [True, False])
    assert response.text == '{\n    "predictions": [true, false\n    ]\n}'


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_whole_floats_keep_their_point(node, dtype):
    response = identity(node, dtype, [1, -2, 0.0])
    assert response.text == '{\n    "predictions": [1.0, -2.0, 0.0\n    ]\n}'


def test_floats_are_written_without_noise_digits(node):
    response = identity(node, "float", [0.2, 3.14, 1e-5])
    assert "0.2, 3.14, 1e-05" in response.text


@pytest.mark.parametrize(("dtype", "storage"), [("float", np.float32), ("double", np.float64)])
def test_floats_come_back_as_the_same_number(node, dtype, storage):
    limits = np.finfo(storage)
    values = [0.1, 1 / 3, 123456789.0, limits.max, limits.tiny, limits.smallest_subnormal]
    numbers = np.array([*values, *np.negative(values)], storage)
    # The shortest text that reads back as the same number of this width.
    texts = ", ".join(str(number) for number in numbers)
    body = f'{{"signature_name": "identity_{dtype}", "instances": [{texts}]}}'
    answer = predict(node, "dtypes", body).json()["predictions"]
    assert np.array(answer, storage).tolist() == numbers.tolist()


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_not_a_number_and_infinities_in_and_out(node, dtype):
    response = identity(node, dtype, [float("nan"), float("inf"), float("-inf")])
    assert response.text == '{\n    "predictions": [NaN, Infinity, -Infinity\n    ]\n}'


def test_float_too_large_for_its_type_is_refused(node):
    body = {"signature_name": "identity_float", "instances": [1e39]}
    assert_rest_error(
        node.rest.predict("dtypes", body), 400, re.compile("to float without loss of precision")
    )


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_dtypes_that_json_cannot_carry_are_refused(node, dtype):
    body = {"signature_name": f"identity_{dtype}", "instances": [1.0]}
    response = node.rest.predict("dtypes", body)
    assert response.status_code in (400, 501), response.text
    assert dtype in response.json()["error"]
    node.assert_unharmed()


def test_connection_is_kept_for_the_next_request(node):
    with RawConnection(node.address) as connection:
        for _ in range(3):
            connection.send(post("/v1/models/half_plus_two:predict", b'{"instances": [1.0]}'))
            response = connection.read_response()
            assert (response.status, json.loads(response.body)) == (200, {"predictions": [2.5]})


def test_pipelined_requests_are_answered_in_order(node):
    path = "/v1/models/half_plus_two:predict"
    with RawConnection(node.address) as connection:
        connection.send(
            post(path, b'{"instances": [1.0]}')
            + post("/v1/models/nope:predict", b'{"instances": [1.0]}')
            + post(path, b'{"instances": [2.0]}')
        )
        answers = [connection.read_response() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 404, 200]
    assert json.loads(answers[0].body) == {"predictions": [2.5]}
    assert json.loads(answers[2].body) == {"predictions": [3.0]}


def test_connection_is_closed_when_the_client_asks_for_it(node):
    with RawConnection(node.address) as connection:
        body = b'{"instances": [1.0]}'
        connection.send(post("/v1/models/half_plus_two:predict", body, "Connection: close"))
        assert connection.read_response().status == 200
        assert connection.read_until_closed() == b""


def test_connection_of_http_1_0_is_kept_when_the_client_asks_for_it(node, martlet):
    """ApacheBench, which many measure the original with, waits for the words that say so."""
    path = "/v1/models/half_plus_two:predict"
    request = post(path, b'{"instances": [1.0]}', "Connection: Keep-Alive")
    for server in (node, martlet.gateway([node])):
        with RawConnection(server.address) as connection:
            for _ in range(2):
                connection.send(request.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
                response = connection.read_response()
                assert response.status == 200
                assert response.headers["connection"] == "keep-alive"
            connection.send(post(path, b'{"instances": [1.0]}').replace(b"/1.1", b"/1.0", 1))
            assert connection.read_response().headers["connection"] == "close"
            assert connection.read_until_closed() == b""


def test_status_of_a_model_and_of_one_version(node):
    expected = {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    for path in ("/v1/models/half_plus_two", "/v1/models/half_plus_two/versions/1"):
        response = node.rest.get(path)
        assert response.status_code == 200
        assert response.text.rstrip("\n") == json.dumps(expected, indent=1)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/models/nope", "Could not find any versions of model nope"),
        (
            "/v1/models/half_plus_two/versions/99",
            "Could not find version 99 of model half_plus_two",
        ),
    ],
)
def test_status_of_what_does_not_exist(node, path, message):
    assert_rest_error(node.rest.get(path), 404, message)


def test_list_of_models_names_them_all(node):
    response = node.rest.get("/v1/models")
    assert response.status_code == 200
    listed = {model["name"]: model["model_version_status"] for model in response.json()["models"]}
    assert {"half_plus_two", "dtypes", "with_asset"} <= set(listed)
    assert [(v["version"], v["state"]) for v in listed["dtypes"]] == [("1", "AVAILABLE")]
    # What gateways have to know of to keep answers to requests by label.
    assert {str(model["version_labels"]) for model in response.json()["models"]} == {"{}"}


def test_metadata_describes_inputs_and_outputs_of_each_signature(node):
    response = node.rest.get("/v1/models/multi_signature/metadata")
    assert response.status_code == 200, response.text
    metadata = response.json()
    assert metadata["model_spec"] == {
        "name": "multi_signature",
        "signature_name": "",
        "version": "1",
    }
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "scale", "shift", "total"} <= set(signatures)
    assert set(signatures["scale"]["inputs"]) == {"values", "factor"}
    shift = signatures["shift"]
    assert shift["method_name"] == "tensorflow/serving/predict"
    points = shift["inputs"]["points"]
    assert points["dtype"] == "DT_INT64"
    assert points["name"] == "shift_points:0"
    assert points["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
        "unknown_rank": False,
    }
    assert signatures["total"]["outputs"]["total"]["tensor_shape"] == {
        "dim": [],
        "unknown_rank": False,
    }


def test_metadata_of_one_version(node):
    response = node.rest.get("/v1/models/half_plus_two/versions/1/metadata")
    assert response.json()["model_spec"]["version"] == "1"


def test_health_of_a_node_that_serves_all_its_models(node):
    assert node.rest.get("/healthz/live").status_code == 200
    assert node.rest.get("/healthz/ready").status_code == 200
