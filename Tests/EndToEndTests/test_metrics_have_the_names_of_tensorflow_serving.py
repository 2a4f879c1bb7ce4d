"""Dashboards made for the original find its metrics, at the path they were given."""

import os
import subprocess

import pytest
from harness.paths import promtool
from harness.prometheus import Samples
from harness.tensors import tensor

PATH = "/monitoring/prometheus/metrics"
NAMING = ("should have", "should not")


def scrape(node):
    response = node.rest.get(PATH)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/plain")
    return response.text


def test_requests_and_loads_are_counted_under_the_originals_names(martlet):
    node = martlet.serve(("half_plus_two",), "--monitoring-path", PATH)
    for _ in range(3):
        node.rest.predict("half_plus_two", {"instances": [1.0]})
    node.grpc.predict("half_plus_two", {"x": tensor("float", [1.0])})
    node.rest.predict("half_plus_two", {"instances": ["abc"]})
    text = scrape(node)
    assert "# TYPE :tensorflow:serving:request_latency histogram" in text
    samples = Samples(text)
    count = ":tensorflow:serving:request_count"
    assert samples.by(count, "status", model_name="half_plus_two") == {
        "OK": 4,
        "INVALID_ARGUMENT": 1,
    }
    latency = ":tensorflow:serving:request_latency_count"
    assert samples.total(latency, API="predict", entrypoint="REST") == 3
    assert samples.total(latency, API="Predict", entrypoint="GRPC") == 1
    assert samples.total(":tensorflow:serving:runtime_latency_count", API="Predict") == 4
    loads = samples.matching(":tensorflow:cc:saved_model:load_attempt_count", status="success")
    assert [value for _, value in loads] == [1]
    assert loads[0][0]["model_path"].endswith("/half_plus_two/1")


def test_promtool_reads_the_page_and_only_dislikes_its_names(martlet):
    tool = promtool()
    if tool is None and "CI" not in os.environ:
        pytest.skip("promtool is missing; set-up fetches it")
    node = martlet.serve(("half_plus_two",), "--monitoring-path", PATH)
    node.rest.predict("half_plus_two", {"instances": [1.0]})
    text = scrape(node)
    checked = subprocess.run(
        [tool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # 3 is what it answers when it could read the page and would spell it differently.
    assert checked.returncode == 3, checked.stdout + checked.stderr
    complaints = (checked.stdout + checked.stderr).splitlines()
    assert [line for line in complaints if not any(word in line for word in NAMING)] == []


def test_nothing_is_shown_unless_a_path_is_given(node):
    assert node.rest.get(PATH).status_code == 404
    assert ":tensorflow:" not in node.rest.get("/metrics").text


def test_both_pages_at_one_path_are_one_page(martlet):
    node = martlet.serve(("half_plus_two",), "--monitoring-path", "/metrics")
    node.rest.predict("half_plus_two", {"instances": [1.0]})
    samples = node.rest.metrics()
    assert samples.total(":tensorflow:serving:request_count", status="OK") == 1
    assert samples.total("martlet_requests_total", code="OK", method="predict") == 1
