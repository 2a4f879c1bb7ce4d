"""Bombs over REST and gRPC: refused, in at most twice the memory of the largest body."""

import pathlib

import grpc
import pytest
from harness.bombs import GRPC_BOMBS, REST_BOMBS, refusal_of_grpc, refusal_of_rest
from harness.clients import assert_unharmed

LIMIT = 16 << 20
REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
)


@pytest.fixture
def limited(martlet):
    node = martlet.serve(("half_plus_two",), "--max-message-bytes", LIMIT)
    assert_unharmed(node)
    return node


def peak_bytes(node):
    status = pathlib.Path(f"/proc/{node.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.parametrize("name", REST_BOMBS)
def test_rest_bomb_is_refused_in_little_memory(limited, name):
    before = peak_bytes(limited)
    assert refusal_of_rest(limited.address, name) in (400, 413, 431, "closed")
    assert peak_bytes(limited) - before <= 2 * LIMIT
    assert_unharmed(limited)


def test_examples_over_rest_that_are_nothing_but_many_are_refused(limited):
    body = b'{"signature_name": "classify", "examples": [' + b"{}," * 500_000 + b"{}]}"
    before = peak_bytes(limited)
    answer = limited.rest.post("/v1/models/half_plus_two:classify", body)
    assert answer.status_code == 400
    assert "500001 examples and features" in answer.json()["error"]
    assert peak_bytes(limited) - before <= 2 * LIMIT
    assert_unharmed(limited)


@pytest.mark.parametrize("name", GRPC_BOMBS)
def test_grpc_bomb_is_refused_in_little_memory(limited, name):
    before = peak_bytes(limited)
    assert refusal_of_grpc(limited.address, name) in REFUSALS
    assert peak_bytes(limited) - before <= 2 * LIMIT
    assert_unharmed(limited)
