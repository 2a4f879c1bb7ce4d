"""Rows, columns, odd numbers, bytes, errors and cross-origin calls, down to the exact text."""

import base64
import re

import pytest
from harness.clients import assert_rest_error
from harness.tensors import array_of, tensor

ALL_OUTPUTS = """{
    "predictions": [
        {
            "is_positive": true,
            "logarithm": 0.0,
            "pair": [1.0, -1.0],
            "reciprocal": 1.0,
            "text": "1",
            "text_bytes": {
                "b64": "MQ=="
            },
            "texts_bytes": [{
                    "b64": "MQ=="
                }, {
                    "b64": "MQ=="
                }],
            "whole": 1
        }
    ]
}"""


def predict(node, body, model="outputs"):
    response = node.rest.predict(model, body)
    assert response.status_code == 200, response.text
    return response


def test_outputs_of_every_kind_stand_side_by_side(node):
    assert predict(node, {"instances": [1.0]}).text == ALL_OUTPUTS


def test_numbers_that_are_none_are_written_out(node):
    text = predict(node, {"instances": [0.0, -1.0]}).text
    assert '"logarithm": -Infinity' in text
    assert '"reciprocal": Infinity' in text
    assert '"logarithm": NaN' in text
    columns = predict(node, {"inputs": [0.0, -1.0]}).text
    assert '"logarithm": [\n            -Infinity,\n            NaN\n        ]' in columns


def test_numbers_that_are_none_are_read(node):
    body = '{"signature_name": "ragged", "inputs": [NaN, Infinity, -Infinity]}'
    assert predict(node, body).text == (
        '{\n    "outputs": {\n        "all": [\n            NaN,\n            Infinity,\n'
        '            -Infinity\n        ],\n        "first": [\n            NaN\n        ]\n'
        "    }\n}"
    )


def test_bytes_of_any_value_go_in_and_out(node):
    every_byte = {"b64": base64.b64encode(bytes(range(256))).decode()}
    body = {
        "signature_name": "mixed",
        "inputs": {"x": [1.0], "text_bytes": [every_byte]},
    }
    assert predict(node, body).json() == {
        "outputs": {"double": [2.0], "rows": 1, "text_bytes": [every_byte]}
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"signature_name": "mixed", "instances": [{"x": 1.0, "text_bytes": "a"}]},
            "Tensor name: rows has no shape information ",
        ),
        (
            {"signature_name": "ragged", "instances": [1.0, 2.0]},
            "Tensor name: first has inconsistent batch size: 1 expecting: 2",
        ),
        (
            {"instances": [[1.0, 2.0], [1.0]]},
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting tensor size: 2 but got: 1",
        ),
        (
            {"signature_name": "mixed", "instances": [{"x": 1.0}]},
            re.compile(r"^Failed to process element: 0 of 'instances' list\. JSON object: .*"),
        ),
        (
            {"signature_name": "mixed", "instances": [1.0]},
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map",
        ),
        (
            {"signature_name": "mixed", "inputs": {"x": [1.0]}},
            "Missing named input: text_bytes in 'inputs' object.",
        ),
        (
            {"instances": [{"x": 1.0}, 2.0]},
            "Expecting object but got list at item 1 of input list",
        ),
        (
            {"instances": [1.0, {"x": 2.0}]},
            "Expecting value/list but got object at item 1 of input list",
        ),
        (
            {"instances": [{"y": 1.0}]},
            "Failed to process element: 0 key: y of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: y",
        ),
        (
            {"signature_name": "nope", "instances": [1.0]},
            'Serving signature name: "nope" not found in signature def',
        ),
        ({"signature_name": "ragged"}, "Missing 'inputs' or 'instances' key"),
    ],
)
def test_rows_and_columns_that_do_not_fit_are_refused(node, body, message):
    assert_rest_error(node.rest.predict("outputs", body), 400, message)


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("POST", "/v1/models/outputs", 400, "Malformed request: POST /v1/models/outputs"),
        ("POST", "/v1/models/outputs:nope", 400, "Malformed request: POST /v1/models/outputs:nope"),
        ("PUT", "/v1/models/outputs", 400, "Malformed request: PUT /v1/models/outputs"),
        ("OPTIONS", "/v1/models/outputs", 400, "Malformed request: OPTIONS /v1/models/outputs"),
        ("GET", "/v1/models/nope/metadata", 404, "Servable not found for request: Latest(nope)"),
        (
            "GET",
            "/v1/models/outputs/versions/99999999999999999999",
            400,
            "Failed to convert version: 99999999999999999999 to numeric.",
        ),
        ("GET", "/v1/models/outputs/labels/x", 400, "Unrecognized servable version label: x"),
        ("GET", "/nowhere", 404, "Not found: GET /nowhere"),
    ],
)
def test_paths_that_mean_nothing_are_refused(node, method, path, code, message):
    response = node.rest.session.request(method, node.rest.url + path, timeout=60)
    assert_rest_error(response, code, message)


def test_pages_of_other_origins_may_call_when_the_operator_says_so(martlet):
    node = martlet.serve(("half_plus_two",), "--cors")
    url = f"{node.rest.url}/v1/models/half_plus_two"
    preflight = node.rest.session.options(
        url + ":predict",
        headers={"Origin": "http://page.example", "Access-Control-Request-Method": "POST"},
        timeout=60,
    )
    assert (preflight.status_code, preflight.text) == (200, "")
    answers = [
        preflight,
        node.rest.predict("half_plus_two", {"instances": [1.0]}),
        node.rest.predict("half_plus_two", "{"),
        node.rest.get("/v1/models/nope"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 404]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "POST, GET"
        assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_pages_of_other_origins_may_not_call_otherwise(node):
    answer = node.rest.predict("half_plus_two", {"instances": [1.0]})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_requests_over_rest_that_take_too_long_time_out(martlet, steps_lasting):
    node = martlet.serve(("half_plus_two", "matrix"), "--rest-timeout-seconds", 0.2)
    slow = node.rest.predict("matrix", {"inputs": steps_lasting(1.0)})
    assert_rest_error(slow, 504, "Timed out waiting for notification")
    node.assert_unharmed()


def test_requests_over_rest_wait_no_longer_than_their_client(node, steps_lasting):
    impatient = {"x-request-timeout-ms": "200"}
    slow = node.rest.predict("matrix", {"inputs": steps_lasting(1.0)}, headers=impatient)
    assert_rest_error(slow, 504, "Timed out waiting for notification")
    for value in ("0", "soon", "1.5", "9999999999"):
        wrong = node.rest.predict(
            "half_plus_two", {"instances": [1.0]}, headers={"x-request-timeout-ms": value}
        )
        assert_rest_error(wrong, 400, re.compile("x-request-timeout-ms is not one number"))
    node.assert_unharmed()


def test_predictions_over_grpc_are_sent_as_content_when_the_operator_says_so(martlet, node):
    compact = martlet.serve(("half_plus_two", "outputs"), "--tensor-content")
    inputs = {"x": tensor("float", [1.0, 4.0])}
    typed = node.grpc.predict("outputs", inputs).outputs
    packed = compact.grpc.predict("outputs", inputs).outputs
    assert typed["pair"].float_val
    assert not typed["pair"].tensor_content
    assert packed["pair"].tensor_content
    assert not packed["pair"].float_val
    assert packed["text"].string_val == [b"1", b"4"]
    assert {name: array_of(output).tolist() for name, output in packed.items()} == {
        name: array_of(output).tolist() for name, output in typed.items()
    }
    compact.assert_unharmed()
