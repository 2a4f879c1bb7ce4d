"""The metrics page is valid and its counters move by exactly what was asked."""

import os
import subprocess
import uuid

import grpc
import pytest
from harness.clients import refused
from harness.paths import promtool
from harness.tensors import tensor

GOOD = {"x": tensor("float", [1.0])}

REQUESTS = "martlet_requests_total"
OK_CODES = {"200", "OK"}
BAD_CODES = {"400", "INVALID_ARGUMENT"}


def check_with_promtool(text):
    tool = promtool()
    if tool is None and "CI" not in os.environ:
        pytest.skip("promtool is missing; set-up fetches it")
    assert tool, "promtool is missing; set-up fetches it"
    checked = subprocess.run(
        [tool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def moved(before, after, name, **labels):
    """How far each code of a counter moved between two scrapes."""
    old, new = before.by(name, "code", **labels), after.by(name, "code", **labels)
    return {code: new[code] - old.get(code, 0) for code in new if new[code] != old.get(code, 0)}


def test_metrics_page_is_accepted_by_promtool(node):
    node.assert_unharmed()
    response = node.rest.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    check_with_promtool(response.text)


def test_gateway_metrics_page_is_accepted_by_promtool(martlet, node):
    gateway = martlet.gateway([node])
    gateway.assert_unharmed()
    check_with_promtool(gateway.admin.get("/metrics").text)


def test_requests_are_counted_by_model_version_api_and_code(node):
    before = node.rest.metrics()
    for _ in range(3):
        node.rest.predict("half_plus_two", {"instances": [1.0]})
    for _ in range(2):
        node.rest.predict("half_plus_two", {"instances": ["abc"]})
    for _ in range(5):
        node.grpc.predict("half_plus_two", GOOD)
    for _ in range(4):
        with refused(grpc.StatusCode.INVALID_ARGUMENT):
            node.grpc.predict("half_plus_two", {"x": tensor("int32", [1])})
    after = node.rest.metrics()

    rest = moved(before, after, REQUESTS, model="half_plus_two", api="rest")
    assert sorted(rest.values()) == [2, 3]
    assert {code for code, count in rest.items() if count == 3} <= OK_CODES
    assert {code for code, count in rest.items() if count == 2} <= BAD_CODES
    grpc_codes = moved(before, after, REQUESTS, model="half_plus_two", api="grpc")
    assert sorted(grpc_codes.values()) == [4, 5]
    assert {code for code, count in grpc_codes.items() if count == 5} <= OK_CODES
    assert {code for code, count in grpc_codes.items() if count == 4} <= BAD_CODES

    good = moved(before, after, REQUESTS, model="half_plus_two", version="1", api="rest")
    assert 3 in good.values()
    other_models = [
        labels
        for labels, value in after.matching(REQUESTS)
        if labels["model"] not in ("half_plus_two", "")
        and value != before.total(REQUESTS, **labels)
    ]
    assert other_models == []


def test_durations_are_observed_once_a_request(node):
    name = "martlet_request_duration_seconds_count"
    labels = {"model": "multi_signature", "version": "1"}
    before = node.rest.metrics()
    for _ in range(3):
        node.rest.predict("multi_signature", {"instances": [1.0]})
        node.grpc.predict("multi_signature", GOOD)
    after = node.rest.metrics()
    for api in ("rest", "grpc"):
        assert after.total(name, api=api, **labels) - before.total(name, api=api, **labels) == 3
        buckets = after.matching(
            "martlet_request_duration_seconds_bucket", api=api, le="+Inf", **labels
        )
        assert sum(value for _, value in buckets) == after.total(name, api=api, **labels)


def test_names_that_clients_invent_never_become_labels(node):
    invented = [uuid.uuid4().hex for _ in range(20)]
    for name in invented:
        assert node.rest.predict(name, {"instances": [1.0]}).status_code == 404
        with refused(grpc.StatusCode.NOT_FOUND):
            node.grpc.predict(name, GOOD)
        assert node.rest.get(f"/v1/models/{name}").status_code == 404
    text = node.rest.get("/metrics").text
    assert not [name for name in invented if name in text]


def test_servables_and_the_process_are_described(node):
    samples = node.rest.metrics()
    assert samples.total("martlet_servables", model="half_plus_two", state="AVAILABLE") == 1
    memory = samples.matching("martlet_servable_memory_bytes", model="half_plus_two", version="1")
    assert len(memory) == 1
    assert samples.matching("martlet_queue_depth")
    assert samples.matching("martlet_requests_in_flight")
    assert samples.total("process_resident_memory_bytes") > 0
    ((labels, value),) = samples.matching("martlet_build_info")
    assert labels["version"]
    assert value == 1
