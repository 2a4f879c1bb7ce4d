"""Stock clients may compress what they send; bombs and broken bodies are refused in a word."""

import gzip
import json
import zlib

import grpc
import pytest
from harness.clients import assert_unharmed, predict_request
from harness.tensors import tensor

PREDICT = "/v1/models/half_plus_two:predict"
BODY = json.dumps({"instances": [1.0] * 1000}).encode()


def post(node, body, encoding):
    return node.rest.post(PREDICT, body, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_body_is_answered_as_the_plain_one(node, encoding, compress):
    answer = post(node, compress(BODY), encoding)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": [2.5] * 1000}


def test_body_that_is_not_what_it_says_is_400(node):
    assert post(node, BODY, "gzip").status_code == 400
    assert post(node, gzip.compress(BODY)[:-1], "gzip").status_code == 400
    assert_unharmed(node)


def test_unknown_encoding_is_415_and_the_known_ones_are_listed(node):
    answer = post(node, BODY, "br")
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity, deflate, gzip"


def test_bomb_is_413_and_takes_no_room(martlet):
    node = martlet.serve(("half_plus_two",))
    assert post(node, gzip.compress(BODY), "gzip").status_code == 200
    before = node.resident_bytes()
    bomb = gzip.compress(bytes(1 << 28))
    for _ in range(5):
        assert post(node, bomb, "gzip").status_code == 413
    assert node.resident_bytes() - before < 64 << 20
    assert_unharmed(node)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_grpc_message_is_answered_as_the_plain_one(node, compression):
    inputs = {"x": tensor("float", [1.0] * 1000)}
    with grpc.insecure_channel(node.address, compression=compression) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        reply = call(predict_request("half_plus_two", inputs).SerializeToString(), timeout=60)
    plain = node.grpc.predict("half_plus_two", inputs).SerializeToString()
    assert reply == plain
