"""`martlet up` starts, watches, restarts and stops a gateway and its nodes; `status` shows them."""

import json
import os
import re
import signal

import pytest
from harness import models
from harness.processes import exists
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)

CONFIGURATION = """\
gateway:
  host: 127.0.0.1
  port: 0
  admin_port: 0
nodes:
  count: 2
  host: 127.0.0.1
  first_port: 0
  engine_threads: 1
models:
  - name: half_plus_two
    path: models/half_plus_two
"""


@pytest.fixture
def configuration(tmp_path):
    """A cluster of two nodes; the model's path is relative to the file."""
    folder = tmp_path / "cluster"
    models.model_folder(folder / "models")
    file = folder / "cluster.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    return file


def test_cluster_serves_and_shows_itself_in_its_state_file(martlet, configuration):
    cluster = martlet.up(configuration)
    cluster.assert_unharmed()
    state = cluster.state()
    assert state["pid"] == cluster.pid
    assert set(state["gateway"]) >= {"pid", "address", "admin_address"}
    assert [node["name"] for node in state["nodes"]] == ["node-1", "node-2"]
    assert all(node["restarts"] == 0 for node in state["nodes"])
    assert len(set(cluster.pids())) == 3
    assert all(exists(pid) for pid in cluster.pids())
    printed = await_until(lambda: cluster.output.read_text(encoding="utf-8"), "the table")
    for address in (cluster.address, *(node["address"] for node in state["nodes"])):
        assert address in printed


def test_model_root_of_a_cluster_is_relative_to_the_file_too(martlet, configuration):
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text[: text.index("models:")] + "model_root: models\n", "utf-8")
    martlet.up(configuration, cwd="/").assert_unharmed()


def test_status_shows_endpoints_and_models_to_people_and_programs(martlet, configuration):
    cluster = martlet.up(configuration)
    addresses = {node["address"] for node in cluster.nodes().values()}

    def healthy_endpoints():
        shown = martlet.run("status", "--admin", cluster.admin_address, "--json")
        assert shown.returncode == 0, shown.stderr
        endpoints = json.loads(shown.stdout)["endpoints"]
        assert {endpoint["address"] for endpoint in endpoints} == addresses
        return all(endpoint["healthy"] is True for endpoint in endpoints) and endpoints

    # The gateway serves as soon as one node does; the other follows with its next health check.
    for endpoint in await_until(healthy_endpoints, "the health of all endpoints"):
        assert set(endpoint) >= {"weight", "in_flight", "requests", "failures", "models"}
        (model,) = endpoint["models"]
        assert model["name"] == "half_plus_two"
        (version,) = model["versions"]
        assert (version["version"], version["state"]) == ("1", "AVAILABLE")
        assert (version["error_code"], version["error_message"]) == ("OK", "")

    table = martlet.run("status", "--admin", cluster.admin_address)
    assert table.returncode == 0, table.stderr
    for word in (*addresses, "half_plus_two", "AVAILABLE"):
        assert word in table.stdout


def test_status_without_a_gateway_says_so(martlet):
    shown = martlet.run("status", "--admin", "127.0.0.1:1")
    assert shown.returncode == 69
    assert "127.0.0.1:1" in shown.stderr


def test_killed_node_is_restarted_and_serves_again(martlet, configuration):
    cluster = martlet.up(configuration)
    victim = cluster.nodes()["node-1"]
    os.kill(victim["pid"], signal.SIGKILL)

    def restarted():
        node = cluster.nodes()["node-1"]
        return node["pid"] != victim["pid"] and node["state"] == "ready" and node

    node = await_until(restarted, "node-1 to be ready again", 30)
    assert node["restarts"] == 1
    assert exists(node["pid"])
    cluster.await_http(node["address"], "/healthz/ready")
    cluster.assert_unharmed()


def test_stopped_cluster_leaves_no_process(martlet, configuration):
    cluster = martlet.up(configuration)
    pids = cluster.pids()
    cluster.stop()
    assert [pid for pid in pids if exists(pid)] == []


def test_killed_cluster_takes_its_processes_along(martlet, configuration):
    cluster = martlet.up(configuration)
    pids = cluster.pids()
    # Not cluster.kill(): that would end the children too.
    cluster.ended_on_purpose = True
    os.kill(cluster.pid, signal.SIGKILL)
    cluster.process.wait()
    await_until(lambda: not any(map(exists, pids)), "the processes of the killed cluster to end")


def test_interrupted_cluster_leaves_no_process(martlet, configuration):
    cluster = martlet.up(configuration)
    pids = cluster.pids()
    cluster.stop(signal.SIGINT)
    assert [pid for pid in pids if exists(pid)] == []


@pytest.mark.parametrize(
    ("key", "typo", "line"),
    [("count", "cuont", 6), ("gateway", "gatway", 1), ("path", "pth", 12)],
)
def test_unknown_key_is_refused_with_its_line_and_the_nearest_match(
    martlet, configuration, key, typo, line
):
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace(f"{key}:", f"{typo}:"), encoding="utf-8")
    refusal = martlet.run("up", "-c", configuration)
    assert refusal.returncode == 78, refusal.stderr
    assert typo in refusal.stderr
    assert re.search(rf"\b{key}\b", refusal.stderr)
    assert re.search(rf"(line |yaml:){line}\b", refusal.stderr)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("count: 2", "count: two"),
        ("count: 2", "count: -1"),
        ("port: 0", "port: 65536"),
        ("- name: half_plus_two", "- name: [half"),
        ("path: models/half_plus_two", "path:"),
    ],
)
def test_bad_value_is_refused_with_its_line(martlet, configuration, good, bad):
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace(good, bad, 1), encoding="utf-8")
    refusal = martlet.run("up", "-c", configuration)
    assert refusal.returncode == 78, refusal.stderr
    assert "cluster.yaml" in refusal.stderr
    assert re.search(r"(line |yaml:)\d", refusal.stderr)


def test_missing_configuration_file_is_named(martlet, tmp_path):
    refusal = martlet.run("up", "-c", tmp_path / "nowhere.yaml")
    assert refusal.returncode == 78, refusal.stderr
    assert "nowhere.yaml" in refusal.stderr
