"""Load reports that come with answers (ORCA): who asks for them, who is told, and what they weigh.

Health checks bring none here, or come too seldom to.
"""

import base64
import contextlib
import subprocess
import threading

import pytest
from harness.clients import GrpcClient, predict_request
from harness.faults import well_by_its_word
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import answer_y, grpc_node
from harness.held_nodes import BODY, PREDICT
from harness.load import Load
from harness.load_reports import (
    BINARY_FIELD,
    FIELD,
    REQUEST_FIELD,
    as_json,
    binary,
    message,
    text,
)
from harness.policies import counting_node, follow, pool
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

# Reports are believed after 10 s.
pytestmark = pytest.mark.deadline(90)
BELIEF_SECONDS = 40.0

ONE = {"x": tensor("float", [1.0])}
SELDOM = {"interval_seconds": 60}


@contextlib.contextmanager
def reporting_node(name, value):
    """A server of others, which tells its load with each answer and with no health check."""

    def answer(handler, _):
        handler.send(200, b'{"predictions": [2.5]}', **{name: value})

    with stand_in(answer, well_by_its_word()) as server:
        yield server


def weights(gateway, nodes):
    endpoints = gateway.endpoints()
    return [endpoints[node.address]["weight"] for node in nodes]


def are_about(found, expected):
    """Whether weights are in this proportion, give or take a tenth."""
    return all(
        abs(one / found[0] - other / expected[0]) <= 0.1 * other / expected[0]
        for one, other in zip(found, expected, strict=True)
    )


# Servers of others


def test_reports_of_each_form_weigh_and_no_client_sees_them(martlet):
    def load(utilization):
        return {"rps_fractional": 100.0, "application_utilization": utilization}

    message_alone = base64.b64encode(message(**load(0.1))).decode().rstrip("=")
    reports = [
        (FIELD, text(**load(0.2))),
        (FIELD, as_json(**load(0.4))),
        (FIELD, binary(**load(0.8))),
        (BINARY_FIELD, message_alone),
        # Nobody can read this, and it does no harm.
        (FIELD, "TEXT rps_fractional=many"),
    ]
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(reporting_node(*report)) for report in reports]
        gateway = follow(martlet, {"pools": [pool("main", *nodes)]})
        seen = []

        def weighed():
            for _ in range(10):
                answer = gateway.rest.post(PREDICT, BODY)
                assert answer.json() == {"predictions": [2.5]}
                seen.extend(name.lower() for name in answer.headers)
            return are_about(weights(gateway, nodes[:4]), [500, 250, 125, 1000])

        await_until(weighed, "the weights to be those of the reports", BELIEF_SECONDS)
        assert not {FIELD, BINARY_FIELD} & set(seen)
        mean = sum(weights(gateway, nodes[:4])) / 4
        assert are_about([mean, weights(gateway, nodes)[4]], [1, 1])
        outcomes = gateway.admin.metrics().by("martlet_gateway_load_reports_total", "outcome")
        assert outcomes["taken"] >= 40
        assert outcomes["malformed"] >= 10


def test_reports_in_trailers_of_grpc_weigh_and_no_client_sees_them(martlet):
    def reporting(name, value):
        answer_well = answer_y(2.5)

        def answer(node, request, context):
            # Of names that end so, grpcio writes the bytes in base64.
            context.set_trailing_metadata([(name, value)])
            return answer_well(node, request, context)

        return grpc_node(answer)

    load = {"rps_fractional": 100.0}
    with (
        reporting(BINARY_FIELD, message(cpu_utilization=0.8, **load)) as busy,
        reporting(FIELD, text(cpu_utilization=0.2, **load)) as idle,
    ):
        nodes = [busy, idle]
        gateway = follow(martlet, {"pools": [pool("main", *nodes, health=GRPC_CHECKS)]})
        seen = []

        def weighed():
            request = predict_request("m", ONE)
            for _ in range(4):
                _, call = gateway.grpc.prediction.Predict.with_call(request, timeout=60)
                seen.extend(name for name, _ in call.trailing_metadata())
            return are_about(weights(gateway, nodes), [125, 500])

        await_until(weighed, "the weights to be those of the reports", BELIEF_SECONDS)
        assert not {FIELD, BINARY_FIELD} & set(seen)


# Who is asked


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"load_report_seconds": 3600}, 1),
        ({"load_report_seconds": 0}, 0),
        ({"balancing": "least_request", "load_report_seconds": 3600}, 1),
        ({"balancing": "round_robin"}, 0),
    ],
    ids=["once an hour", "never", "least request", "round robin"],
)
def test_one_request_in_an_interval_asks_its_node(martlet, settings, asked):
    with counting_node() as node:
        gateway = follow(martlet, {"pools": [pool("main", node, **settings)]})
        for _ in range(20):
            # What a client asks for is between it and the gateway.
            answer = gateway.rest.post(PREDICT, BODY, headers={REQUEST_FIELD: "JSON"})
            assert answer.status_code == 200
        questions = [
            value
            for _, fields, _ in node.requests
            for name, value in fields.items()
            if name.lower() == REQUEST_FIELD
        ]
        assert questions == ["TEXT"] * asked


# Nodes of ours


def test_node_reports_to_those_who_ask(node):
    for form in ("TEXT", "JSON", "BIN", "text"):
        answer = node.rest.predict("half_plus_two", BODY, headers={REQUEST_FIELD: form})
        assert answer.json() == {"predictions": [2.5]}
        assert answer.headers[FIELD].startswith(f"{form.upper()} ")
    reported = node.rest.predict("half_plus_two", BODY, headers={REQUEST_FIELD: "TEXT"})
    metrics = dict(each.split("=") for each in reported.headers[FIELD][5:].split(","))
    # The one that asks is answered, and none else is there.
    assert float(metrics["named_metrics.requests_in_flight"]) == 0
    assert 0 < float(metrics["named_metrics.latency_seconds"]) < 20
    assert FIELD not in node.rest.predict("half_plus_two", BODY).headers
    failed = node.rest.predict("no_such_model", BODY, headers={REQUEST_FIELD: "TEXT"})
    assert failed.status_code == 404
    assert failed.headers[FIELD].startswith("TEXT ")


def test_node_reports_over_grpc_to_those_who_ask(node):
    request = predict_request("half_plus_two", ONE)
    predict = node.grpc.prediction.Predict
    _, call = predict.with_call(request, timeout=60, metadata=[(REQUEST_FIELD, "TEXT")])
    assert dict(call.trailing_metadata())[FIELD].startswith("TEXT ")
    _, call = predict.with_call(request, timeout=60)
    assert not {FIELD, BINARY_FIELD} & dict(call.trailing_metadata()).keys()


def test_node_reports_over_grpc_as_a_message(node, tmp_path):
    # gRPC's own clients keep this one to themselves.
    content = predict_request("half_plus_two", ONE).SerializeToString()
    call = tmp_path / "call"
    call.write_bytes(b"\0" + len(content).to_bytes(4, "big") + content)
    fields = ["content-type: application/grpc", "te: trailers", f"{REQUEST_FIELD}: BIN"]
    told = subprocess.run(
        ["curl", "--silent", "--http2-prior-knowledge", "--dump-header", "-", "--output"]
        + [tmp_path / "answer", "--data-binary", f"@{call}"]
        + [word for field in fields for word in ("-H", field)]
        + [f"http://{node.address}/tensorflow.serving.PredictionService/Predict"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    trailers = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    assert trailers["grpc-status"] == "0"
    value = trailers[BINARY_FIELD]
    report = base64.b64decode(value + "=" * (-len(value) % 4))
    assert b"requests_in_flight" in report


@contextlib.contextmanager
def kept_busy(node, steps):
    """Sends a node one slow request after the other, past the gateway."""
    stopping = threading.Event()

    def run():
        client = GrpcClient(node.address)
        while not stopping.is_set():
            client.predict("matrix", {"steps": tensor("int32", steps)})
        client.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(120)


def test_node_under_load_is_weighed_less_by_its_answers_alone(martlet, steps_lasting):
    flags = ("--engine-threads", 1)
    busy, idle = (martlet.serve(("half_plus_two", "matrix"), *flags) for _ in range(2))
    gateway = follow(martlet, {"pools": [pool("main", busy, idle, health=SELDOM)]})
    with kept_busy(busy, steps_lasting(0.05)), Load(gateway.address, 2, 2) as load:

        def weighed():
            of_busy, of_idle = weights(gateway, [busy, idle])
            return of_busy < of_idle / 2

        await_until(weighed, "the busy node to be weighed less", BELIEF_SECONDS)
        before = gateway.endpoints()
        load.await_more(50)
        after = gateway.endpoints()
    got = {
        node.address: after[node.address]["requests"] - before[node.address]["requests"]
        for node in (busy, idle)
    }
    assert got[busy.address] < got[idle.address]
    assert load.failures == []
