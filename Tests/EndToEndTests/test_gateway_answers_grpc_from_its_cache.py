"""Answers to gRPC calls that the gateway keeps: the stock client of TensorFlow Serving asks."""

import contextlib
import hashlib
import json
import re
import threading

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from harness.clients import CHANNEL_OPTIONS, SECONDS, GrpcClient, predict_request, refused
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import grpc_node, held_grpc_node, y_of
from harness.held_nodes import in_background
from harness.model_server import config_file
from harness.models import HALF_PLUS_THREE, HALF_PLUS_TWO, add_version, model_folder
from harness.policies import cache, follow, pool
from harness.serving_api import predict_pb2
from harness.tensors import tensor
from harness.waiting import await_until

# No answer is too old within a test.
KEEPING = {"ttl_seconds_min": 600, "ttl_seconds_max": 600}
ONE = [1.0]


def cached(node, **route):
    """A policy that keeps answers of all predictions; nodes that stand in speak gRPC alone."""
    settings = {"outliers": {"consecutive_failures": 0}}
    if not hasattr(node, "rest"):
        settings["health"] = GRPC_CHECKS
    return {
        "pools": [pool("main", node, **settings)],
        "routes": [{"name": "r", "cache": True, **route}],
        "cache": KEEPING,
    }


def count_calls(node, message, context):
    """Answers a prediction by how often the node has been asked."""
    response = predict_pb2.PredictResponse()
    response.outputs["y"].CopyFrom(tensor("float", [len(node.methods)] * 1000))
    # Servers of grpcio compress what they are told to, whatever the client takes.
    if ("x-compress", "gzip") in context.invocation_metadata():
        context.set_compression(grpc.Compression.Gzip)
    return response.SerializeToString()


@pytest.fixture
def origin():
    """What stands in for a node, and answers by how often it was asked."""
    with grpc_node(count_calls) as node:
        yield node


@pytest.fixture
def gateway(martlet, origin):
    return follow(martlet, cached(origin))


def ask(gateway, values=ONE, *metadata, client=None, model="m", timeout=SECONDS, **spec):
    """The first element of the answer, and what the cache says of it."""
    request = predict_request(model, {"x": tensor("float", values)}, **spec)
    stub = (client or gateway.grpc).prediction
    answer, call = stub.Predict.with_call(request, metadata=metadata, timeout=timeout)
    return y_of(answer)[0], dict(call.initial_metadata()).get("x-martlet-cache")


@contextlib.contextmanager
def client_of(gateway, *options, **channel):
    with contextlib.closing(
        GrpcClient(
            gateway.address,
            grpc.insecure_channel(gateway.address, (*CHANNEL_OPTIONS, *options), **channel),
        )
    ) as client:
        yield client


def test_second_call_is_answered_without_the_node(martlet):
    node = martlet.serve(("half_plus_two",))
    gateway = follow(martlet, cached(node))
    request = predict_request("half_plus_two", {"x": tensor("float", [1.0, 2.0])})

    def asked():
        return node.rest.metrics().total("martlet_requests_total", model="half_plus_two")

    direct = node.grpc.prediction.Predict(request, timeout=SECONDS)
    first, call = gateway.grpc.prediction.Predict.with_call(request, timeout=SECONDS)
    assert "x-martlet-cache" not in dict(call.initial_metadata())
    await_until(lambda: asked() == 2, "both to be counted")
    for _ in range(3):
        again, call = gateway.grpc.prediction.Predict.with_call(request, timeout=SECONDS)
        fields = dict(call.initial_metadata())
        assert fields["x-martlet-cache"] == "hit"
        assert 0 <= int(fields["age"]) < SECONDS
        assert again == first == direct
        assert call.code() == grpc.StatusCode.OK
    assert asked() == 2
    state = cache(gateway)
    assert (state["hits"], state["misses"], state["entries"]) == (3, 1, 1)


def test_hits_are_counted_and_logged_as_calls(gateway, origin):
    for _ in range(3):
        ask(gateway)
    samples = gateway.admin.metrics()
    assert samples.by("martlet_gateway_cache_lookups_total", "outcome")["hit"] == 2
    assert samples.by("martlet_gateway_requests_total", "code", api="grpc") == {"OK": 3}
    lines = [json.loads(line) for line in gateway.log_lines() if '"path"' in line]
    logged = [(line["grpc_status"], line["response_bytes"]) for line in lines]
    assert logged == logged[:1] * 3
    assert logged[0][0] == "OK"
    assert len(origin.methods) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"values": [2.0]},
        {"values": [1.0, 1.0]},
        {"model": "other"},
        {"version": 1},
        {"signature": "s"},
        {"outputs": ["y"]},
    ],
)
def test_another_question_is_not_taken_for_the_same(gateway, other):
    assert ask(gateway) == (1, None)
    assert ask(gateway, **other) == (2, None)
    assert ask(gateway) == (1, "hit")


def test_rest_and_grpc_have_answers_of_their_own(martlet, node):
    gateway = follow(martlet, cached(node))
    for source in (None, "hit"):
        assert ask(gateway, model="half_plus_two") == (2.5, source)
        answer = gateway.rest.predict("half_plus_two", '{"instances": [1.0]}')
        assert answer.json() == {"predictions": [2.5]}
        assert answer.headers.get("x-martlet-cache") == source
    assert cache(gateway)["entries"] == 2


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL", "UNAVAILABLE"])
def test_errors_are_not_kept(martlet, code):
    with grpc_node(lambda _, __, context: context.abort(grpc.StatusCode[code], "no")) as origin:
        gateway = follow(martlet, cached(origin))
        for count in (1, 2, 3):
            with refused(grpc.StatusCode[code]):
                ask(gateway)
            assert len(origin.methods) == count
        assert cache(gateway)["entries"] == 0


def test_clients_may_ask_not_to_keep_or_not_to_reuse(gateway):
    assert ask(gateway, ONE, ("cache-control", "no-store")) == (1, None)
    assert ask(gateway) == (2, None)
    assert ask(gateway, ONE, ("cache-control", "no-cache")) == (3, None)
    assert ask(gateway) == (3, "hit")


def test_clients_that_take_no_compression_get_none(gateway, origin):
    compressed = ("x-compress", "gzip")
    plain_alone = ("grpc.compression_enabled_algorithms_bitset", 1)
    assert ask(gateway, ONE, compressed) == (1, None)
    with client_of(gateway, plain_alone) as client:
        assert ask(gateway, client=client) == (2, None)
        assert ask(gateway, client=client) == (2, "hit")
    assert ask(gateway) == (1, "hit")
    assert len(origin.methods) == 2


def test_compressed_questions_are_answered_and_not_kept(gateway):
    with client_of(gateway, compression=grpc.Compression.Gzip) as client:
        for count in (1, 2):
            assert ask(gateway, [1.0] * 1000, client=client) == (count, None)
        # What compression would make no smaller goes as it is.
        assert ask(gateway, client=client) == (3, None)
        assert ask(gateway, client=client) == (3, "hit")


def test_large_questions_are_answered_and_not_kept(gateway):
    values = [1.0] * 300_000
    assert [ask(gateway, values) for _ in range(2)] == [(1, None), (2, None)]


def test_answers_that_are_too_large_are_not_kept(martlet, origin):
    policy = cached(origin)
    policy["cache"] = {**KEEPING, "entry_bytes_max": 1000}
    gateway = follow(martlet, policy)
    assert [ask(gateway) for _ in range(2)] == [(1, None), (2, None)]


def test_routes_that_go_by_the_model_are_cached_and_let_go_what_they_counted(martlet, origin):
    changes = {"response": {"add": {"x-gateway": "martlet"}}}
    route = {"match": {"models": ["m"]}, "limits": {"concurrent_requests": 1}, "headers": changes}
    policy = cached(origin, **route)
    policy["routes"].append({"name": "rest"})
    gateway = follow(martlet, policy)
    assert ask(gateway) == (1, None)
    for _ in range(5):
        assert ask(gateway) == (1, "hit")
    request = predict_request("m", {"x": tensor("float", ONE)})
    _, call = gateway.grpc.prediction.Predict.with_call(request, timeout=SECONDS)
    assert dict(call.initial_metadata())["x-gateway"] == "martlet"
    assert [ask(gateway, model="other") for _ in range(2)] == [(2, None), (3, None)]


def test_tenants_never_share_an_answer(martlet, origin, tmp_path):
    secrets = {"alice": "fraud", "ann": "fraud", "bob": "imaging"}
    keys = [
        {"id": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "tenant": tenant}
        for name, tenant in secrets.items()
    ]
    file = tmp_path / "credentials.yaml"
    file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    gateway = follow(martlet, {**cached(origin), "access": {"api_keys_file": str(file)}})
    assert ask(gateway, ONE, ("x-api-key", "alice")) == (1, None)
    assert ask(gateway, ONE, ("x-api-key", "bob")) == (2, None)
    assert ask(gateway, ONE, ("x-api-key", "bob")) == (2, "hit")
    # Two keys of one tenant are one.
    assert ask(gateway, ONE, ("x-api-key", "ann")) == (1, "hit")
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        ask(gateway)
    assert len(origin.methods) == 2


def test_another_version_makes_answers_old_at_once(martlet, tmp_path):
    model = model_folder(tmp_path / "models")
    node = martlet.serve({"half_plus_two": model}, "--poll-interval-seconds", 0.1)
    gateway = follow(martlet, cached(node))
    asked = [ask(gateway, model="half_plus_two") for _ in range(2)]
    assert asked == [(2.5, None), (2.5, "hit")]
    add_version(model, 2, HALF_PLUS_THREE)
    await_until(lambda: node.rest.states("half_plus_two").get(2) == "AVAILABLE", "the version")
    # Within the next check of the node, and far before its time is over.
    await_until(lambda: ask(gateway, model="half_plus_two")[0] == 3.5, "the new answer", 3)
    assert ask(gateway, model="half_plus_two") == (3.5, "hit")


def test_answers_of_a_canary_are_of_their_own_version(martlet, tmp_path):
    add_version(tmp_path / "m", 1, HALF_PLUS_TWO)
    add_version(tmp_path / "m", 2, HALF_PLUS_THREE)
    models = {"m": (tmp_path / "m", "model_version_policy { all {} }")}
    node = martlet.serve({}, "--model-config-file", config_file(tmp_path / "models", models))
    for version in (1, 2):
        node.await_state("m", version, "AVAILABLE")
    canary = {
        "model": "m",
        "baseline": {"version": 1},
        "candidate": {"version": 2},
        "weight_percent_start": 50,
        "interval_seconds": 600,
        "sticky_header": "x-account",
    }
    gateway = follow(martlet, cached(node, canary=canary))
    answers = {}
    for turn in range(2):
        for account in map(str, range(20)):
            answer, source = ask(gateway, ONE, ("x-account", account))
            assert answers.setdefault(account, answer) == answer
            assert turn == 0 or source == "hit"
    assert set(answers.values()) == {2.5, 3.5}
    assert cache(gateway)["misses"] == 2


def test_identical_calls_at_once_ask_a_node_once(martlet):
    with held_grpc_node(7.0) as node:
        gateway = follow(martlet, cached(node))
        join = in_background(*[lambda: ask(gateway)] * 5)
        assert node.held.acquire(timeout=60)
        await_until(lambda: cache(gateway)["shared"] == 4, "the others to wait")
        node.release()
        answers = join()
        assert sorted(answers, key=str) == [(7.0, "shared")] * 4 + [(7.0, None)]
        assert len(node.methods) == 1


def test_who_waits_keeps_to_the_deadline_of_the_own_call(martlet):
    with held_grpc_node(7.0) as node:
        gateway = follow(martlet, cached(node))
        join = in_background(lambda: ask(gateway))
        assert node.held.acquire(timeout=60)
        with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
            ask(gateway, timeout=0.3)
        node.release()
        assert join() == [(7.0, None)]
        assert ask(gateway) == (7.0, "hit")
        assert len(node.methods) == 1


def test_who_waits_asks_a_node_where_the_first_gives_up(martlet):
    with held_grpc_node(7.0) as node:
        gateway = follow(martlet, cached(node))
        hung_up = threading.Event()

        def give_up():
            request = predict_request("m", {"x": tensor("float", ONE)})
            call = gateway.grpc.prediction.Predict.future(request, timeout=SECONDS)
            hung_up.wait(100)
            call.cancel()
            return call.code()

        first = in_background(give_up)
        assert node.held.acquire(timeout=60)
        other = in_background(lambda: ask(gateway))
        await_until(lambda: cache(gateway)["shared"] == 1, "the other to wait")
        hung_up.set()
        assert node.held.acquire(timeout=60), "nobody asks the node"
        node.release()
        assert first() == [grpc.StatusCode.CANCELLED]
        assert other() == [(7.0, None)]


def test_who_waits_is_told_when_the_time_of_its_route_is_up(martlet):
    with held_grpc_node(7.0) as node:
        gateway = follow(martlet, cached(node, timeouts={"total_seconds": 1}))

        def late():
            with refused(grpc.StatusCode.DEADLINE_EXCEEDED, re.compile("did not answer in time")):
                ask(gateway, timeout=None)
            return True

        # Each in its own time: one after the other they would take longer than is waited for.
        assert in_background(*[late] * 25)() == [True] * 25
        node.release()
        assert ask(gateway)[0] == 7.0


def test_open_inference_is_cached_too(martlet, node):
    gateway = follow(martlet, cached(node))
    values = np.array([1.0, 2.0], np.float32)
    client = tritonclient.grpc.InferenceServerClient(gateway.address)
    with contextlib.closing(client):
        for value in (values, values, values + 1):
            given = tritonclient.grpc.InferInput("x", value.shape, "FP32")
            given.set_data_from_numpy(value)
            answer = client.infer("half_plus_two", [given])
            assert answer.as_numpy("y").tolist() == (value / 2 + 2).tolist()
    state = cache(gateway)
    assert (state["hits"], state["misses"]) == (1, 2)
