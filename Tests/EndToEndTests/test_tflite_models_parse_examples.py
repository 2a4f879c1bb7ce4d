"""A TFLite model that asks for TensorFlow's parsing of `tf.Example`, which LiteRT does not have."""

import random
import re

import grpc
import pytest
from harness.clients import refused
from harness.examples import (
    classes_of,
    classify_request,
    example,
    regress_request,
    values_of,
)
from harness.tensors import array_of, tensor

SECONDS = 60
MODEL = "examples_tflite"

THREE = example(x=3.0)
PLAIN = example()
FULL = example(
    id=5, name=b"gull", pair=[1, 2], list=[1.0, 2.0], sparse=[4.0], words=[b"a", b"b"], other=1.0
)


@pytest.fixture(scope="module")
def server(session_martlet):
    return session_martlet.serve((MODEL,))


def strings(*examples):
    return tensor(
        "string", [e if isinstance(e, bytes) else e.SerializeToString() for e in examples]
    )


def kinds(server, *examples, outputs=()):
    inputs = {"examples": strings(*examples), "scale": tensor("float", [2.0])}
    return server.grpc.predict(MODEL, inputs, signature="kinds", outputs=outputs)


def test_regress_takes_the_default_of_a_feature_left_out(server):
    response = server.grpc.prediction.Regress(regress_request(MODEL, THREE, PLAIN), timeout=SECONDS)
    assert values_of(response) == [3.5, 2.0]


def test_classify_gives_classes_and_scores(server):
    bird = example(x=[2.0, 4.0], name=[b"swift", b"gull"])
    response = server.grpc.prediction.Classify(
        classify_request(MODEL, bird, PLAIN, signature="classify"), timeout=SECONDS
    )
    assert classes_of(response) == [
        [("swift", 4.0), ("gull", 8.0)],
        [("first", 2.0), ("second", 6.0)],
    ]


def test_predict_takes_serialized_examples(server):
    response = server.grpc.predict(MODEL, {"inputs": strings(THREE, PLAIN, THREE)})
    assert array_of(response.outputs["outputs"]).tolist() == [3.5, 2.0, 3.5]


def test_features_of_every_kind_are_parsed_as_tensorflow_does(server):
    outputs = kinds(server, FULL, example(id=-1)).outputs
    expected = {
        "id": [5, -1],
        "next": [6, 0],
        "name": [b"gull", b"missing"],
        "pair_sum": [3, 15],
        "list": [[1.0, 2.0], [-1.0, -1.0]],
        "list_total": [6.0, -4.0],
        "sparse_places": [[0, 0]],
        "sparse_values": [4.0],
        "sparse_shape": [2, 1],
        "words": [b"a", b"b"],
    }
    assert {name: array_of(output).tolist() for name, output in outputs.items()} == expected


def test_rest_regresses_and_predicts(server):
    answer = server.rest.post(f"/v1/models/{MODEL}:regress", {"examples": [{"x": 3.0}, {}]})
    assert (answer.status_code, answer.json()) == (200, {"results": [3.5, 2.0]})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"\xff\x01", "Could not parse example input, Index: 1"),
        (example(id=[1, 2]), "Number of int64 values != expected.  Values size: 2"),
        (example(id=1.0), "Key: id, Index: 1.  Data types don't match. Data type: float"),
        (PLAIN, "Feature: id (data type: int64) is required but could not be found."),
    ],
)
def test_examples_that_do_not_fit_are_refused_with_the_reason(server, bad, reason):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, re.compile(re.escape(reason))):
        kinds(server, FULL, bad)


def test_hostile_examples_by_the_hundred_do_no_harm(server):
    source = random.Random(11)
    whole = FULL.SerializeToString()
    answers = set()
    for _ in range(400):
        bad = bytearray(whole)
        for _ in range(source.randint(1, 3)):
            place = source.randrange(len(bad))
            bad[place : place + source.randint(0, 2)] = source.randbytes(source.randint(0, 2))
        try:
            outputs = kinds(server, FULL, bytes(bad)).outputs
            assert array_of(outputs["pair_sum"]).shape == (2,)
            answers.add(grpc.StatusCode.OK)
        except grpc.RpcError as error:
            answers.add(error.code())
    assert answers == {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    assert array_of(kinds(server, FULL, outputs=["id"]).outputs["id"]).tolist() == [5]
    server.assert_running()
