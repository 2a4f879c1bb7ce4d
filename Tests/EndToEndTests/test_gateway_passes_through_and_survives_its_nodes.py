"""The gateway changes nothing of a request or an answer, and hides the death of a node."""

import json

import grpc
import numpy as np
import pytest
from harness.clients import PREDICT, assert_rest_error, predict_request, refused
from harness.http1 import RawConnection
from harness.load import Load
from harness.tensors import array_of, same, tensor
from harness.waiting import await_until

# A port of the loopback range on which nothing ever listens.
NOBODY = "127.0.0.1:1"

GOOD = {"x": tensor("float", [1.0, 2.0])}


@pytest.fixture(scope="module")
def gateway(session_martlet, only_node):
    """A gateway in front of the shared node."""
    gateway = session_martlet.gateway([only_node])
    gateway.await_health(only_node, healthy=True)
    return gateway


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/half_plus_two:predict", '{"instances": [1.0, 2.0, 5.0]}'),
        ("/v1/models/half_plus_two/versions/1:predict", '{"inputs": [1.0]}'),
        ("/v1/models/multi_input:predict", '{"inputs": {"a": [[1, 2]], "b": [[3, 4]]}}'),
        ("/v1/models/strings:predict", '{"instances": ["\\u00e9"]}'),
        ("/v1/models/half_plus_two:predict", "nope"),
        ("/v1/models/half_plus_two:predict", '{"instances": ["abc"]}'),
        ("/v1/models/nope:predict", '{"instances": [1.0]}'),
        ("/v1/models/half_plus_two:nope", "{}"),
    ],
)
def test_rest_answers_pass_through_byte_for_byte(gateway, node, path, body):
    direct, passed = node.rest.post(path, body), gateway.rest.post(path, body)
    assert passed.status_code == direct.status_code
    assert passed.headers["Content-Type"] == direct.headers["Content-Type"]
    assert passed.content == direct.content


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/half_plus_two",
        "/v1/models/half_plus_two/versions/1",
        "/v1/models/half_plus_two/versions/99",
        "/v1/models/half_plus_two/metadata",
        "/v1/models/nope",
    ],
)
def test_rest_status_and_metadata_pass_through_byte_for_byte(gateway, node, path):
    direct, passed = node.rest.get(path), gateway.rest.get(path)
    assert (passed.status_code, passed.content) == (direct.status_code, direct.content)


def test_grpc_answers_pass_through_byte_for_byte(gateway, node):
    message = predict_request("half_plus_two", GOOD).SerializeToString()
    assert gateway.grpc.call(PREDICT, message) == node.grpc.call(PREDICT, message)
    gateway.assert_unharmed()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (PREDICT, predict_request("nope", GOOD).SerializeToString()),
        (PREDICT, predict_request("half_plus_two", {}, signature="n\N{BIRD}").SerializeToString()),
        (PREDICT, predict_request("multi_input", GOOD).SerializeToString()),
        (PREDICT, b"\xff\xff\xff\xff"),
        (PREDICT, b""),
        ("/tensorflow.serving.PredictionService/Nope", b""),
    ],
)
def test_grpc_errors_pass_through_with_their_message(gateway, node, method, message):
    errors = []
    for server in (node, gateway):
        with pytest.raises(grpc.RpcError) as error:
            server.grpc.call(method, message)
        errors.append((error.value.code(), error.value.details()))
    assert errors[0] == errors[1]


def test_grpc_metadata_and_status_pass_through(gateway, node):
    assert gateway.grpc.metadata("dtypes") == node.grpc.metadata("dtypes")
    assert gateway.grpc.status("dtypes") == node.grpc.status("dtypes")


def test_large_rest_bodies_pass_both_ways(gateway):
    text = "martlet " * (1 << 20)
    body = {"signature_name": "identity_string", "instances": [text]}
    response = gateway.rest.predict("dtypes", body)
    assert response.json() == {"predictions": [text]}


def test_large_grpc_messages_pass_both_ways(gateway):
    values = np.arange(1 << 21, dtype=np.float32)
    inputs = {"x": tensor("float", values, form="content")}
    answer = gateway.grpc.predict("dtypes", inputs, signature="identity_float")
    assert same(array_of(answer.outputs["y"]), values)


def test_large_grpc_messages_at_once_all_get_through(gateway):
    # More than the flow-control windows hold, so that each stream pauses and goes on many times.
    values = np.arange(1 << 20, dtype=np.float32)
    inputs = {"x": tensor("float", values, form="content")}
    request = predict_request("dtypes", inputs, signature="identity_float")
    calls = [gateway.grpc.prediction.Predict.future(request, timeout=60) for _ in range(6)]
    assert all(same(array_of(call.result().outputs["y"]), values) for call in calls)


def test_deadline_passes_through(gateway, steps_lasting):
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        gateway.grpc.predict("matrix", {"steps": tensor("int32", steps_lasting(2))}, timeout=0.3)
    gateway.assert_unharmed()


def test_requests_are_spread_over_the_nodes(martlet):
    nodes = [martlet.serve(), martlet.serve()]
    gateway = martlet.gateway(nodes)
    gateway.await_all_healthy(nodes)
    # One protocol after the other: in turns, a fair picker could give each node one protocol.
    for _ in range(20):
        assert gateway.rest.predict("half_plus_two", {"instances": [1.0]}).status_code == 200
    for _ in range(20):
        gateway.grpc.predict("half_plus_two", GOOD)
    counts = [
        {
            api: node.rest.metrics().total("martlet_requests_total", model="half_plus_two", api=api)
            for api in ("rest", "grpc")
        }
        for node in nodes
    ]
    for api in ("rest", "grpc"):
        assert sum(count[api] for count in counts) == 20
        assert all(count[api] > 0 for count in counts), counts


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"POST"])
@pytest.mark.parametrize("connection", [b"keep-alive", b"keep-alive, content-length, host"])
def test_body_of_a_forwarded_request_never_becomes_a_request(martlet, method, connection):
    node = martlet.serve(access_log=True)
    gateway = martlet.gateway([node])
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: martlet.test\r\n\r\n"
    head = method + b" /v1/models/half_plus_two HTTP/1.1\r\nHost: martlet.test\r\n"
    head += b"Connection: " + connection + b"\r\n"
    chunked = b"%x\r\n" % len(smuggled) + smuggled + b"\r\n0\r\n\r\n"
    with RawConnection(gateway.address) as client:
        client.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
        client.read_response()
        client.send(head + b"Content-Length: %d\r\n\r\n" % len(smuggled) + smuggled)
        client.read_response()
    gateway.assert_unharmed()
    assert not [line for line in node.log_lines() if "smuggled" in line]


@pytest.mark.deadline(90)
def test_killed_node_costs_no_request_and_returns_when_restarted(martlet):
    nodes = [martlet.serve(), martlet.serve()]
    gateway = martlet.gateway(nodes)
    gateway.await_all_healthy(nodes)
    with Load(gateway.address) as load:
        load.await_more()
        nodes[0].kill()
        load.await_more()
        gateway.await_health(nodes[0], healthy=False)
        load.await_more()
        restarted = martlet.serve(port=nodes[0].port)
        gateway.await_health(restarted, healthy=True)
        await_until(
            lambda: restarted.rest.metrics().total("martlet_requests_total") > 0,
            "the restarted node to get requests again",
        )
        load.await_more()
    assert load.failures == []
    assert load.values() == {2.5}


def test_stopped_node_costs_no_request(martlet):
    nodes = [martlet.serve(), martlet.serve()]
    gateway = martlet.gateway(nodes)
    gateway.await_all_healthy(nodes)
    with Load(gateway.address) as load:
        load.await_more()
        nodes[0].stop()
        load.await_more()
        gateway.await_health(nodes[0], healthy=False)
        load.await_more()
    assert load.failures == []


def test_no_healthy_endpoint_is_unavailable(martlet):
    gateway = martlet.gateway([NOBODY], ready="live")
    assert gateway.admin.get("/healthz/ready").status_code == 503
    response = gateway.rest.predict("half_plus_two", {"instances": [1.0]})
    assert_rest_error(response, 503, response.json()["error"])
    with refused(grpc.StatusCode.UNAVAILABLE):
        gateway.grpc.predict("half_plus_two", GOOD)
    gateway.assert_running()


def test_dead_endpoint_beside_a_good_one_costs_no_request(martlet, node):
    gateway = martlet.gateway([NOBODY, node])
    for _ in range(10):
        gateway.assert_unharmed()
    assert gateway.endpoints()[NOBODY]["healthy"] is False


@pytest.mark.deadline(90)
def test_endpoint_that_fails_every_request_is_ejected_and_returns(martlet):
    good = martlet.serve(("slow",))
    # It answers checks, and no request: its time is over before the model has run.
    bad = martlet.serve(("slow",), "--rest-timeout-seconds", 0.001)
    gateway = martlet.gateway([good, bad], "--outlier-ejection-seconds", 3)
    gateway.await_all_healthy([good, bad])

    def ask():
        return gateway.rest.predict("slow", {"instances": [20]}).status_code

    answers = []
    while not gateway.endpoints()[bad.address]["ejected"]:
        answers.append(ask())
    assert set(answers) == {200, 504}
    assert answers.count(504) >= 5
    assert [ask() for _ in range(5)] == [200] * 5
    ejections = {"endpoint": bad.address, "cause": "consecutive_failures"}
    assert gateway.admin.metrics().total("martlet_gateway_ejections_total", **ejections) == 1
    await_until(
        lambda: gateway.endpoints()[bad.address]["ejected"] is False, "the endpoint to return"
    )
    logged = [json.loads(line)["msg"] for line in gateway.log_lines() if line.startswith("{")]
    assert [line for line in logged if line in ("endpoint is ejected", "endpoint returns")] == [
        "endpoint is ejected",
        "endpoint returns",
    ]


def test_gateway_counts_its_requests_and_endpoints(martlet, node):
    gateway = martlet.gateway([node])
    for _ in range(3):
        assert gateway.rest.predict("half_plus_two", {"instances": [1.0]}).status_code == 200
        gateway.grpc.predict("half_plus_two", GOOD)
    samples = gateway.admin.metrics()
    for api in ("rest", "grpc"):
        counted = {"api": api, "endpoint": node.address}
        assert samples.total("martlet_gateway_requests_total", **counted) == 3
        assert samples.total("martlet_gateway_request_duration_seconds_count", api=api) == 3
    assert samples.total("martlet_gateway_endpoint_healthy", endpoint=node.address) == 1
    assert samples.total("martlet_gateway_endpoint_weight", endpoint=node.address) > 0
    endpoint = gateway.endpoints()[node.address]
    assert (endpoint["requests"], endpoint["failures"], endpoint["in_flight"]) == (6, 0, 0)


def test_bad_requests_do_the_gateway_no_harm(gateway):
    for body in ("nope", "[" * 100_000, '{"instances": ["abc"]}'):
        assert gateway.rest.predict("half_plus_two", body).status_code == 400
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        gateway.grpc.call(PREDICT, b"\xff\xff\xff\xff")
    gateway.assert_unharmed()
