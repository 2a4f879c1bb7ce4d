"""What gateway.yaml says is done with each request: which route, which changes, which limits."""

import collections
import contextlib
import json
import re
import subprocess
import time

import grpc
import pytest
from harness.certificates import curl
from harness.clients import SECONDS, RestClient, assert_rest_error, predict_request, refused
from harness.faults import paused, well_by_its_word
from harness.held_nodes import held_node, in_background, one_post
from harness.http1 import RawConnection, post
from harness.load import Load
from harness.model_server import config_file
from harness.models import HALF_PLUS_THREE, HALF_PLUS_TWO, add_version, fixture
from harness.policies import (
    canary,
    change,
    counting_node,
    follow,
    pool,
    reload_by_signal,
    routes,
)
from harness.raw_nodes import raw_node
from harness.stand_ins import stand_in
from harness.tensors import array_of, tensor
from harness.waiting import await_until

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'
ONE = {"x": tensor("float", [1.0])}

# What the model of each pool makes of 1.0.
LEFT, RIGHT = 2.5, 3.5


@pytest.fixture(scope="module")
def left(module_martlet):
    models = {name: fixture("half_plus_two") for name in ("half_plus_two", "other")}
    return module_martlet.serve(models | {"slow": fixture("slow")})


@pytest.fixture(scope="module")
def right(module_martlet):
    return module_martlet.serve(
        {name: fixture("half_plus_two_v2") for name in ("half_plus_two", "other")}
    )


@pytest.fixture(scope="module")
def gateway(module_martlet, left, right):
    """A gateway whose policy each test writes anew."""
    return follow(module_martlet, {"pools": [pool("left", left), pool("right", right)]})


@pytest.fixture
def following(gateway, left, right):
    """Has the shared gateway follow routes to nodes that halve and add two, and three."""
    pools = [pool("left", left), pool("right", right)]
    return lambda *routes: change(gateway, {"pools": pools, "routes": list(routes)})


@pytest.fixture(scope="module")
def echo():
    with counting_node() as server:
        yield server


@pytest.fixture(scope="module")
def mirror(module_martlet, echo):
    """A gateway in front of what answers by what it was asked."""
    return follow(module_martlet, {"pools": [pool("main", echo)]})


@pytest.fixture
def mirroring(mirror, echo):
    """Has that gateway follow a route with these keys, and no other."""

    def set_up(**keys):
        route = {"name": "mirrored", **keys}
        change(mirror, {"pools": [pool("main", echo)], "routes": [route]})

    return set_up


def value(gateway, path=PREDICT, body=BODY, **options):
    """The node's answer to 1.0, which tells the pools apart."""
    response = gateway.rest.post(path, body, **options)
    assert response.status_code == 200, response.text
    return response.json()["predictions"][0]


def seen(gateway, path=PREDICT, body=BODY, **options):
    """What the node was asked."""
    response = gateway.rest.post(path, body, **options)
    assert response.status_code == 200, response.text
    return response.json()


def values_of(fields, name):
    return [value for field, value in fields if field == name]


# Which route is taken


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("right.example", RIGHT),
        ("RIGHT.example:8443", RIGHT),
        ("a.b.example", RIGHT),
        ("a.a.b.example", RIGHT),
        ("b.example", LEFT),
        ("right.example.org", LEFT),
        ("left.example", LEFT),
    ],
)
def test_routes_go_by_host(following, gateway, host, expected):
    hosts = ["right.example", "*.b.example"]
    following(
        {"name": "right", "match": {"hosts": hosts}, "pool": "right"},
        {"name": "left", "pool": "left"},
    )
    assert value(gateway, headers={"Host": host}) == expected


@pytest.mark.parametrize(
    ("rule", "path", "is_taken"),
    [
        ({"path_exact": PREDICT}, PREDICT, True),
        ({"path_exact": PREDICT}, "/V1/Models/half_plus_two:Predict", True),
        ({"path_exact": PREDICT}, "/v1/models/half%5Fplus%5Ftwo:predict", True),
        ({"path_exact": PREDICT}, "/v1/models/half_plus_two/versions/1:predict", False),
        ({"path_prefix": "/v1/models/half_plus_two"}, PREDICT, True),
        ({"path_prefix": "/v1/models/half_plus_two"}, "/v1/models/half_plus_two/x", True),
        ({"path_prefix": "/v1/models/half_plus"}, PREDICT, False),
        ({"path_template": "/v1/models/{model}:predict"}, PREDICT, True),
        ({"path_template": "/v1/models/{model}:predict"}, "/v1/models/a/b:predict", False),
        ({"path_template": "/v1/models/{model}:classify"}, PREDICT, False),
    ],
)
def test_routes_go_by_path(mirroring, mirror, rule, path, is_taken):
    mirroring(match=rule)
    # `requests` would change the path.
    code, status, body = curl("--path-as-is", "-d", BODY, f"http://{mirror.address}{path}")
    assert (code, status) == (0, 200 if is_taken else 404)
    if is_taken:
        assert json.loads(body)["path"] == path


@pytest.mark.parametrize(
    ("rule", "fields", "expected"),
    [
        ({"exact": "1"}, {"X-Beta": "1"}, RIGHT),
        ({"exact": "1"}, {"x-beta": "11"}, LEFT),
        ({"exact": "1"}, {}, LEFT),
        ({"prefix": "can"}, {"X-BETA": "canary"}, RIGHT),
        ({"prefix": "can"}, {"X-Beta": "a canary"}, LEFT),
        ({}, {"X-Beta": "any"}, RIGHT),
        ({"present": False}, {"X-Beta": "any"}, LEFT),
        ({"present": False}, {}, RIGHT),
    ],
)
def test_routes_go_by_header_fields(following, gateway, rule, fields, expected):
    following(
        {
            "name": "right",
            "match": {"headers": [{"name": "x-beta", **rule}]},
            "pool": "right",
        },
        {"name": "left", "pool": "left"},
    )
    assert value(gateway, headers=fields) == expected


def test_routes_go_by_header_fields_of_grpc_calls(following, gateway):
    beta = [{"name": "x-beta", "exact": "1"}]
    following(
        {"name": "right", "match": {"headers": beta}, "pool": "right"},
        {"name": "left", "pool": "left"},
    )
    request = predict_request("half_plus_two", ONE)
    for metadata, expected in (([("x-beta", "1")], RIGHT), ([], LEFT)):
        answer = gateway.grpc.prediction.Predict(request, metadata=metadata, timeout=SECONDS)
        assert array_of(answer.outputs["y"]).tolist() == [expected]


def test_routes_go_by_method(following, gateway):
    following(
        {"name": "read", "match": {"methods": ["GET"]}, "pool": "right"},
        {"name": "ask", "match": {"methods": ["POST"]}, "pool": "left"},
    )
    assert list(gateway.rest.status("half_plus_two")) == [2]
    assert value(gateway) == LEFT
    assert gateway.rest.session.delete(gateway.rest.url + PREDICT, timeout=60).status_code == 404


BY_MODEL = (
    {"name": "right", "match": {"models": ["other"]}, "pool": "right"},
    {"name": "left", "pool": "left"},
)


def test_routes_go_by_the_model_in_the_path(following, gateway):
    following(*BY_MODEL)
    assert value(gateway) == LEFT
    assert value(gateway, "/v1/models/other:predict") == RIGHT
    assert value(gateway, "/V1/MODELS/other/versions/2:PREDICT") == RIGHT
    url = f"http://{gateway.address}/v1/models/othe%72:predict"
    assert json.loads(curl("-d", BODY, url)[2]) == {"predictions": [RIGHT]}
    infer = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}
    answer = gateway.rest.post("/v2/models/other/infer", infer)
    assert answer.json()["outputs"][0]["data"] == [RIGHT]


def test_routes_go_by_the_model_in_a_grpc_message(following, gateway):
    following(*BY_MODEL)
    for model, expected, version in (("half_plus_two", LEFT, 1), ("other", RIGHT, 2)):
        answer = gateway.grpc.predict(model, ONE)
        assert array_of(answer.outputs["y"]).tolist() == [expected]
        assert gateway.grpc.status(model).model_version_status[0].version == version
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        gateway.grpc.call("/tensorflow.serving.PredictionService/Predict", b"\xff\xff")
    # Health has no model, and goes where what has none goes.
    assert gateway.grpc.check().status == 1


def test_large_grpc_messages_are_routed_by_their_model(following, gateway):
    # More than is kept of a request for another attempt.
    following(*BY_MODEL)
    inputs = {"x": tensor("float", [1.0] * (5 << 20), form="content")}
    answer = gateway.grpc.predict("other", inputs, timeout=60)
    assert array_of(answer.outputs["y"])[-1] == RIGHT


def test_grpc_errors_of_the_gateway_are_told_for_what_its_routes_need(following, gateway):
    following(BY_MODEL[0])
    with refused(grpc.StatusCode.NOT_FOUND, re.compile("No route")):
        gateway.grpc.predict("half_plus_two", ONE)
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        gateway.grpc.predict("", ONE)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
def test_routes_go_by_the_model_in_a_json_body(mirroring, mirror, path):
    mirroring(match={"models": ["bird"]})
    body = json.dumps({"messages": [], "model": "bird"})
    assert seen(mirror, path, body)["body"] == body
    assert mirror.rest.post(path, {"model": "swift"}).status_code == 404
    assert mirror.rest.post(path, {"messages": []}).status_code == 404
    assert mirror.rest.post(path, '{"model": ').status_code == 404


def test_first_route_that_matches_is_taken(following, gateway):
    following(
        {"name": "first", "match": {"models": ["other"], "hosts": ["a.example"]}, "pool": "left"},
        {"name": "second", "match": {"models": ["other"]}, "pool": "right"},
    )
    path = "/v1/models/other:predict"
    assert value(gateway, path, headers={"Host": "a.example"}) == LEFT
    assert value(gateway, path) == RIGHT


def test_requests_that_no_route_is_for_are_not_found(following, gateway):
    following(BY_MODEL[0])
    response = gateway.rest.post(PREDICT, BODY)
    assert_rest_error(response, 404, re.compile("No route is for POST"))
    assert value(gateway, "/v1/models/other:predict") == RIGHT


def test_splits_keep_their_weights(martlet):
    with counting_node() as one, counting_node() as two, counting_node() as none:
        split = [{"pool": "one", "weight": 3}, {"pool": "two"}, {"pool": "none", "weight": 0}]
        pools = [pool("one", one), pool("two", two), pool("none", none)]
        gateway = follow(martlet, {"pools": pools, "routes": [{"name": "r", "split": split}]})
        for _ in range(400):
            seen(gateway)
        counts = [len(server.requests) for server in (one, two, none)]
    assert sum(counts) == 400
    # Of 400 a quarter, give or take six standard deviations.
    assert 48 <= counts[1] <= 152
    assert counts[2] == 0


# Paths that two programs could understand in two ways


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/x/../half_plus_two:predict",
        "/v1/models/./half_plus_two:predict",
        "/v1//models/half_plus_two:predict",
        "//v1/models/half_plus_two:predict",
        "/v1/models/a%2Fb:predict",
        "/v1/models/a%2fb:predict",
        "/v1/models/%2e%2e/half_plus_two:predict",
        "/v1/models/.%2E/half_plus_two:predict",
        "/v1/models/a%00:predict",
        "/v1/models/a%0d%0a:predict",
        "/v1/models/a%zz:predict",
    ],
)
@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_ambiguous_paths_are_refused_and_reach_no_node(mirroring, mirror, echo, path, version):
    mirroring(match={"path_prefix": "/v1/models"})
    before = len(echo.requests)
    url = f"http://{mirror.address}{path}"
    code, status, body = curl(version, "--path-as-is", "-d", BODY, url)
    assert (code, status) == (0, 400), body
    assert "error" in json.loads(body)
    assert len(echo.requests) == before
    assert seen(mirror)["path"] == PREDICT


def test_encoded_twice_is_decoded_once(mirroring, mirror):
    path = "/v1/models/a%252Fb:predict"
    mirroring(match={"path_prefix": "/v1/models"})
    assert seen(mirror, path)["path"] == path


# Rewriting


@pytest.mark.parametrize(
    ("rewrite", "path", "expected"),
    [
        ({"path_prefix": "/v1/models"}, "/predict/v0/m:predict", "/v1/models/m:predict"),
        ({"path_prefix": "/v1/models"}, "/predict/v0/m:predict?a=b", "/v1/models/m:predict?a=b"),
        ({"path_prefix": "/"}, "/predict/v0/m", "/m"),
    ],
)
def test_prefixes_are_rewritten(mirroring, mirror, rewrite, path, expected):
    mirroring(match={"path_prefix": "/predict/v0"}, rewrite=rewrite)
    assert seen(mirror, path)["path"] == expected


@pytest.mark.parametrize(
    ("rewrite", "path", "expected"),
    [
        ({"model": "n"}, "/v1/models/m:predict", "/v1/models/n:predict"),
        ({"model": "n"}, "/v1/models/m/versions/3:predict", "/v1/models/n/versions/3:predict"),
        ({"model": "n"}, "/v2/models/m/infer", "/v2/models/n/infer"),
        ({"version": 3}, "/v1/models/m:predict", "/v1/models/m/versions/3:predict"),
        ({"version": 3}, "/v1/models/m/labels/a:predict", "/v1/models/m/versions/3:predict"),
        ({"version": 3}, "/v2/models/m/infer", "/v2/models/m/versions/3/infer"),
        ({"label": "beta"}, "/v1/models/m:predict?q", "/v1/models/m/labels/beta:predict?q"),
        ({"model": "n", "label": "b"}, "/v1/models/m:predict", "/v1/models/n/labels/b:predict"),
        ({"model": "n"}, "/healthz/live", "/healthz/live"),
        ({"model": "n"}, "/v1/chat/completions", "/v1/chat/completions"),
    ],
)
def test_models_and_versions_are_rewritten(mirroring, mirror, rewrite, path, expected):
    mirroring(rewrite=rewrite)
    assert seen(mirror, path)["path"] == expected


def test_paths_are_rewritten_in_http2_too(following, gateway):
    following({"name": "r", "pool": "right", "rewrite": {"model": "other", "version": 2}})
    url = f"http://{gateway.address}/v1/models/nope:predict"
    code, status, body = curl("--http2-prior-knowledge", "-d", BODY, url)
    assert (code, status) == (0, 200), body
    assert json.loads(body) == {"predictions": [RIGHT]}


# Header fields

HEADERS = {
    "request": {
        "remove": ["x-secret"],
        "set": {"x-served-by": "martlet"},
        "add": {"x-tag": "added"},
    },
    "response": {
        "remove": ["x-inner"],
        "set": {"x-kind": "set"},
        "add": {"x-tag": "added"},
    },
}


def test_header_fields_of_requests_are_changed(mirroring, mirror):
    mirroring(headers=HEADERS)
    sent = {"X-Secret": "s", "X-Served-By": "client", "X-Tag": "sent", "X-Kept": "k"}
    fields = seen(mirror, headers=sent)["fields"]
    assert values_of(fields, "x-secret") == []
    assert values_of(fields, "x-served-by") == ["martlet"]
    assert values_of(fields, "x-tag") == ["sent", "added"]
    assert values_of(fields, "x-kept") == ["k"]


def test_header_fields_of_answers_are_changed(martlet):
    fields = {"x-inner": "i", "x-kind": "node", "x-tag": "node", "x-kept": "k"}
    with counting_node(**fields) as server:
        route = {"name": "r", "headers": HEADERS}
        gateway = follow(martlet, {"pools": [pool("main", server)], "routes": [route]})
        response = gateway.rest.post(PREDICT, BODY)
    assert "x-inner" not in response.headers
    assert response.headers["x-kind"] == "set"
    assert response.raw.headers.getlist("x-tag") == ["node", "added"]
    assert response.headers["x-kept"] == "k"


def test_header_fields_of_grpc_answers_are_changed(following, gateway):
    following({"name": "r", "pool": "left", "headers": HEADERS})
    request = predict_request("half_plus_two", ONE)
    answer, call = gateway.grpc.prediction.Predict.with_call(request, timeout=SECONDS)
    assert array_of(answer.outputs["y"]).tolist() == [LEFT]
    metadata = dict(call.initial_metadata())
    assert (metadata["x-kind"], metadata["x-tag"]) == ("set", "added")


# Limits


@pytest.fixture
def small(martlet):
    """A gateway that takes bodies of up to 1000 bytes, and the node behind it."""
    with raw_node() as node:
        route = {"name": "r", "limits": {"body_bytes": 1000}}
        yield follow(martlet, {"pools": [pool("main", node)], "routes": [route]}), node


def test_bodies_beyond_the_route_s_limit_are_refused(small):
    gateway, node = small
    assert gateway.rest.post(PREDICT, b"x" * 1001).status_code == 413
    assert node.heads == []
    chunks = iter([b"x" * 600, b"x" * 600])
    response = gateway.rest.session.post(gateway.rest.url + PREDICT, data=chunks, timeout=60)
    assert response.status_code == 413
    assert node.bodies == []
    assert gateway.rest.post(PREDICT, b"x" * 1000).content == b"good"
    assert node.bodies == [b"x" * 1000]


def test_bodies_that_are_refused_are_counted_as_what_they_are(small):
    gateway, _ = small
    assert gateway.rest.post(PREDICT, b"x" * 1001).status_code == 413
    codes = gateway.admin.metrics().by("martlet_gateway_requests_total", "code")
    assert codes == {"413": 1}


def test_limits_of_bodies_hold_for_routes_by_model_too(following, gateway):
    following(
        {
            "name": "small",
            "match": {"models": ["other"]},
            "pool": "right",
            "limits": {"body_bytes": 1000},
        },
        {"name": "left", "pool": "left"},
    )
    large = {"x": tensor("float", [1.0] * 1000, form="content")}
    assert array_of(gateway.grpc.predict("half_plus_two", large).outputs["y"])[0] == LEFT
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        gateway.grpc.predict("other", large)
    assert array_of(gateway.grpc.predict("other", ONE).outputs["y"])[0] == RIGHT


def test_requests_beyond_the_rate_are_refused_until_later(mirroring, mirror, echo):
    mirroring(limits={"requests_per_second": 0.2, "burst": 3})
    before = len(echo.requests)
    answers = [mirror.rest.post(PREDICT, BODY) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 3
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    assert "error" in answers[-1].json()
    assert len(echo.requests) == before + 3
    # The refused took nothing of what comes back in time.
    await_until(lambda: mirror.rest.post(PREDICT, BODY).status_code == 200, "another", 10, 0.2)


def test_grpc_calls_beyond_the_rate_are_refused(following, gateway):
    following({"name": "r", "pool": "left", "limits": {"requests_per_second": 0.1, "burst": 1}})
    gateway.grpc.predict("half_plus_two", ONE)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        gateway.grpc.predict("half_plus_two", ONE)


def test_requests_at_once_beyond_the_limit_are_refused(martlet):
    with held_node() as (node, held, release):
        route = {"name": "r", "limits": {"concurrent_requests": 2}}
        gateway = follow(martlet, {"pools": [pool("main", node)], "routes": [route]})
        join = in_background(*[lambda: one_post(gateway)] * 2)
        assert held.acquire(timeout=60)
        assert held.acquire(timeout=60)
        refusal = one_post(gateway)
        assert refusal.status_code == 429
        assert int(refusal.headers["Retry-After"]) >= 1
        release.set()
        assert [answer.status_code for answer in join()] == [200, 200]
        assert one_post(gateway).status_code == 200


def test_clients_that_leave_give_their_places_back(martlet):
    with held_node() as (node, held, release):
        route = {"name": "r", "limits": {"concurrent_requests": 1}}
        gateway = follow(martlet, {"pools": [pool("main", node)], "routes": [route]})
        with RawConnection(gateway.address) as client:
            client.send(post(PREDICT, BODY.encode()))
            assert held.acquire(timeout=60)
            assert one_post(gateway).status_code == 429
        release.set()
        await_until(lambda: one_post(gateway).status_code == 200, "the place to be free", 5)


# Timeouts


@pytest.mark.parametrize("more", [{}, {"headers": HEADERS}], ids=["alone", "with more"])
def test_requests_that_take_too_long_are_ended(martlet, more):
    with held_node() as (node, held, _):
        route = {"name": "r", "timeouts": {"total_seconds": 0.5}, **more}
        gateway = follow(martlet, {"pools": [pool("main", node)], "routes": [route]})
        began = time.monotonic()
        assert_rest_error(one_post(gateway), 504, re.compile("did not answer in time"))
        assert time.monotonic() - began < 150
        assert held.acquire(timeout=60)


@pytest.mark.parametrize("match", [{}, {"models": ["slow"]}], ids=["all", "by model"])
def test_grpc_calls_that_take_too_long_are_ended(following, gateway, left, match):
    route = {"name": "r", "pool": "left", "timeouts": {"total_seconds": 0.3}, "match": match}
    following(route)
    inputs = {"steps": tensor("int32", [200_000])}
    began = time.monotonic()
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED, re.compile("did not answer in time")):
        gateway.grpc.predict("slow", inputs, timeout=60)
    assert time.monotonic() - began < 150


@pytest.mark.parametrize("api", ["rest", "grpc", "grpc by model"])
def test_attempts_at_a_paused_node_give_way_to_another(martlet, api):
    nodes = [martlet.serve(), martlet.serve()]
    checks = {"interval_seconds": 60, "timeout_seconds": 20}
    route = {"name": "r", "timeouts": {"per_try_seconds": 1}}
    if "model" in api:
        route["match"] = {"models": ["half_plus_two"]}
    pools = [{**pool("main", *nodes), "health": checks, "balancing": "round_robin"}]
    gateway = follow(martlet, {"pools": pools, "routes": [route]})
    for _ in range(4):
        assert value(gateway) == LEFT
    with paused(nodes[0]):
        for _ in range(4):
            began = time.monotonic()
            if api == "rest":
                assert value(gateway) == LEFT
            else:
                gateway.grpc.predict("half_plus_two", ONE, timeout=60)
            assert time.monotonic() - began < 15


def test_failures_that_the_route_does_not_name_are_not_tried_again(martlet, left):
    route = {"name": "r", "retries": {"failures": ["stream_unprocessed"]}}
    with closing_node() as closing:
        pools = [{**pool("main", closing, left), "balancing": "round_robin"}]
        gateway = follow(martlet, {"pools": pools, "routes": [route]})
        answers = {gateway.rest.post(PREDICT, BODY).status_code for _ in range(6)}
    assert answers == {200, 503}


def test_failures_that_the_route_names_are_tried_again(martlet, left):
    with closing_node() as closing:
        pools = [{**pool("main", closing, left), "balancing": "round_robin"}]
        gateway = follow(martlet, {"pools": pools, "routes": [{"name": "r"}]})
        assert {value(gateway) for _ in range(6)} == {LEFT}
        route = {"name": "r", "retries": {"attempts_max": 1}}
        change(gateway, {"pools": pools, "routes": [route]})
        answers = {gateway.rest.post(PREDICT, BODY).status_code for _ in range(6)}
    assert answers == {200, 503}


def closing_node():
    """A node that is well by its word, and closes the connection in place of an answer."""

    def answer(handler, _):
        handler.close_connection = True
        handler.connection.close()

    return stand_in(answer, well_by_its_word())


# Canaries


@pytest.fixture(scope="module")
def versions(module_martlet, tmp_path_factory):
    """A node with three versions of `m`: two that answer, and one that takes other inputs."""
    folder = tmp_path_factory.mktemp("versions")
    add_version(folder / "m", 1, HALF_PLUS_TWO)
    add_version(folder / "m", 2, HALF_PLUS_THREE)
    add_version(folder / "m", 3, fixture("multi_input") / "1")
    more = "model_version_policy { all {} }"
    file = config_file(folder / "models", {"m": (folder / "m", more)})
    node = module_martlet.serve({}, "--model-config-file", file)
    # It is ready with the first one.
    for version in (1, 2, 3):
        node.await_state("m", version, "AVAILABLE")
    return node


@pytest.fixture
def canaries(martlet, versions):
    """A gateway with a canary that goes from version 1 to another."""

    def start(candidate, **settings):
        rule = {
            "model": "m",
            "baseline": {"version": 1},
            "candidate": {"version": candidate},
            "weight_percent_start": 50,
            "weight_percent_step": 50,
            "interval_seconds": 1,
            "requests_min": 10,
            # What is measured here is whether it is rolled back for its errors.
            "rollback": {"latency_ratio_p99_max": 1000},
            **settings,
        }
        route = {"name": "predictions", "match": {"models": ["m"]}, "canary": rule}
        return follow(martlet, {"pools": [pool("main", versions)], "routes": [route]})

    return start


M = "/v1/models/m:predict"


def test_good_canary_takes_over_step_by_step(canaries):
    gateway = canaries(2)
    assert canary(gateway, "predictions")["state"] == "progressing"
    answers = collections.Counter()
    while canary(gateway, "predictions")["state"] != "completed":
        answers.update(value(gateway, M) for _ in range(10))
    assert set(answers) == {LEFT, RIGHT}
    assert canary(gateway, "predictions")["weight"] == 1
    assert {value(gateway, M) for _ in range(20)} == {RIGHT}
    # Who asks for a version gets it, and the other models are left alone.
    assert value(gateway, "/v1/models/m/versions/1:predict") in (LEFT, RIGHT)
    assert any("canary gets 100" in line for line in gateway.log_lines())


def test_bad_canary_is_rolled_back_by_itself(canaries):
    gateway = canaries(3, weight_percent_start=20)
    statuses = []
    while canary(gateway, "predictions")["state"] != "rolled_back":
        statuses += [gateway.rest.post(M, BODY).status_code for _ in range(5)]
        assert len(statuses) < 2000
    assert statuses.count(400) < 100
    assert canary(gateway, "predictions")["weight"] == 0
    assert {value(gateway, M) for _ in range(50)} == {LEFT}
    assert any("rolled back" in line for line in gateway.log_lines())


def test_operator_takes_a_canary_back(canaries):
    gateway = canaries(2, interval_seconds=600)
    assert {value(gateway, M) for _ in range(40)} == {LEFT, RIGHT}
    answer = gateway.admin.post("/v1/routes/predictions/canary:rollback", "")
    assert answer.status_code == 200, answer.text
    assert canary(gateway, "predictions")["state"] == "rolled_back"
    assert {value(gateway, M) for _ in range(40)} == {LEFT}
    assert gateway.admin.post("/v1/routes/none/canary:rollback", "").status_code == 404


def test_clients_stay_with_their_version(canaries):
    gateway = canaries(2, interval_seconds=600, sticky_header="x-account")
    got = collections.defaultdict(set)
    for _ in range(3):
        for account in range(40):
            got[account].add(value(gateway, M, headers={"X-Account": str(account)}))
    assert {len(values) for values in got.values()} == {1}
    assert set.union(*got.values()) == {LEFT, RIGHT}


def test_canary_goes_on_through_a_reload_that_does_not_concern_it(canaries, versions):
    gateway = canaries(2, interval_seconds=600)
    gateway.admin.post("/v1/routes/predictions/canary:rollback", "")
    policy = json.loads(gateway.policy.path.read_text())
    policy["routes"].append({"name": "rest"})
    change(gateway, policy)
    assert set(routes(gateway)) == {"predictions", "rest"}
    assert canary(gateway, "predictions")["state"] == "rolled_back"
    assert {value(gateway, M) for _ in range(20)} == {LEFT}


# Reading the policy again


RELOADS = {
    "signal": reload_by_signal,
    "file": lambda _: None,
    "admin": lambda gateway: gateway.admin.post("/v1/policy:reload", "").raise_for_status(),
}


@pytest.mark.parametrize("way", RELOADS)
def test_new_policy_is_followed_without_a_restart(martlet, left, right, way):
    pools = [pool("left", left), pool("right", right)]
    policy = {"pools": pools, "routes": [{"name": "r", "pool": "left"}]}
    gateway = follow(martlet, policy)
    with contextlib.closing(RestClient(gateway.address)) as kept:
        assert kept.post(PREDICT, BODY).json()["predictions"] == [LEFT]
        gateway.policy.write({"pools": pools, "routes": [{"name": "r", "pool": "right"}]})
        RELOADS[way](gateway)
        await_until(
            lambda: kept.post(PREDICT, BODY).json()["predictions"] == [RIGHT], "the new policy", 5
        )
        # It is one and the same connection.
        manager = kept.session.adapters["http://"].poolmanager
        assert [manager.pools[key].num_connections for key in sorted(manager.pools.keys())] == [1]


def test_reloads_under_load_cost_no_request(martlet, left, right):
    pools = [pool("left", left), pool("right", right)]
    policies = [
        {"pools": pools, "routes": [{"name": "r", "pool": name, **more}]}
        for name, more in (("left", {}), ("right", {"headers": HEADERS}), ("left", {"cache": True}))
    ]
    gateway = follow(martlet, policies[0])
    with Load(gateway.address) as load:
        for number in range(12):
            change(gateway, policies[number % 3])
            load.await_more(5)
    assert load.failures == []
    assert load.values() == {LEFT, RIGHT}


def test_nodes_that_come_and_go_by_the_policy_cost_no_request(martlet, left):
    more = martlet.serve()
    gateway = follow(martlet, {"pools": [pool("main", left)]})
    with Load(gateway.address) as load:
        for nodes in ([left, more], [more], [left], [more, left]):
            change(gateway, {"pools": [pool("main", *nodes)]})
            load.await_more(10)
            assert set(gateway.endpoints()) == {node.address for node in nodes}
    assert load.failures == []
    assert load.values() == {LEFT}


MISTAKEN = """\
pools:
  - name: left
    endpoints: ["{address}"]
routes:
  - name: r
    pool: lfet
    timeouts:
      total_seconds: -1
"""


def test_policy_that_was_read_last_stays_in_force(martlet, left, right):
    pools = [pool("left", left), pool("right", right)]
    policies = {
        name: {"pools": pools, "routes": [{"name": "r", "pool": name}]}
        for name in ("left", "right")
    }
    gateway = follow(martlet, policies["left"])
    for _ in range(60):
        # Read twice at once: what was read first must not come out on top.
        gateway.policy.write(policies["left"])
        reload_by_signal(gateway)
        change(gateway, policies["right"])
        assert value(gateway) == RIGHT
        time.sleep(0.01)
        assert value(gateway) == RIGHT


@pytest.mark.parametrize("way", RELOADS)
def test_policy_with_a_mistake_changes_nothing_and_is_told(martlet, left, way):
    gateway = follow(martlet, {"pools": [pool("left", left)]})
    gateway.policy.write(MISTAKEN.format(address=left.address))
    if way == "admin":
        answer = gateway.admin.post("/v1/policy:reload", "")
        assert_rest_error(answer, 400, re.compile(r":6:11: routes\[0\]\.pool"))
    else:
        RELOADS[way](gateway)
    name = gateway.policy.path.name

    def told():
        log = "\n".join(gateway.log_lines())
        return f"{name}:6:11" in log and f"{name}:8:22" in log and "lfet" in log

    await_until(told, "the mistakes to be logged", 5)
    assert value(gateway) == LEFT
    change(gateway, {"pools": [pool("left", left)]})


def test_policy_that_is_gone_changes_nothing(martlet, left):
    gateway = follow(martlet, {"pools": [pool("left", left)]})
    gateway.policy.path.unlink()
    answer = gateway.admin.post("/v1/policy:reload", "")
    assert answer.status_code in (400, 404), answer.text
    assert value(gateway) == LEFT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MISTAKEN, [r":6:11: routes\[0\]\.pool: .*did you mean 'left'", r":8:22: .*total_seconds"]),
        ("listen:\n  prot: 1\nendpoints: ['{address}']\n", [r":2:3: listen\.prot: .*'port'"]),
        ("endpoints: [\n", [r":2:1: |:1:\d+: "]),
        ("endpoints: []\n", [r"endpoints"]),
        ("endpoints: ['{address}']\nroutes:\n\t- name: a\n", [r":3:"]),
        ("endpoints: ['{address}', '{address}']\n", [r":1:\d+: endpoints\[1\]"]),
    ],
    ids=["names", "unknown key", "not YAML", "nothing", "tab", "twice"],
)
def test_mistakes_at_the_start_are_told_with_line_and_column(martlet, tmp_path, text, told):
    file = tmp_path / "gateway.yaml"
    file.write_text(text.format(address="127.0.0.1:1"), encoding="utf-8")
    ended = martlet.run("gateway", "--config", file, "--port", 0, "--admin-port", 0)
    assert ended.returncode == 78, ended.stderr
    for pattern in told:
        assert re.search(pattern, ended.stderr), ended.stderr
    assert ended.stdout == ""


def test_endpoints_or_a_policy_are_named(martlet):
    ended = martlet.run("gateway")
    assert ended.returncode == 64, ended.stderr
    assert "--config" in ended.stderr


def test_example_of_the_documentation_is_a_policy(martlet, left):
    """The one line of the reference."""
    gateway = follow(martlet, f"endpoints: ['{left.address}']\n")
    assert value(gateway) == LEFT
    listed = subprocess.run(
        ["curl", "--silent", f"http://{gateway.admin_address}/v1/policy"],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert [route["name"] for route in json.loads(listed)["routes"]] == ["default"]
