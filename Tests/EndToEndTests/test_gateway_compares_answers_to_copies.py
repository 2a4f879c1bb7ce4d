"""What a route's shadow reports of how answers to copies differ from those that clients got."""

import contextlib
import json

import pytest
from harness.held_nodes import BODY, PREDICT
from harness.model_server import config_file
from harness.models import HALF_PLUS_THREE, HALF_PLUS_TWO, add_version
from harness.policies import counting_node, follow, pool, routes
from harness.prometheus import Samples
from harness.tensors import tensor
from harness.waiting import await_until

ONE = {"x": tensor("float", [1.0])}


@pytest.fixture(scope="module")
def nodes(module_martlet, tmp_path_factory):
    """Two nodes that agree, and one that does not."""
    folder = tmp_path_factory.mktemp("models")
    add_version(folder / "two" / "half_plus_two", 1, HALF_PLUS_TWO)
    add_version(folder / "three" / "half_plus_two", 1, HALF_PLUS_THREE)
    folders = {"one": "two", "same": "two", "other": "three"}
    return {
        name: module_martlet.serve({"half_plus_two": folder / of / "half_plus_two"})
        for name, of in folders.items()
    }


def compared(primary, copies, **compare):
    pools = [pool("main", primary), pool("other", copies)]
    shadow = {"pool": "other", "compare": compare}
    return {"pools": pools, "routes": [{"name": "r", "pool": "main", "shadow": shadow}]}


def report(gateway):
    answer = gateway.admin.get("/v1/routes/r/shadow")
    assert answer.status_code == 200, answer.text
    return answer.json()


def await_comparisons(gateway, count):
    """Awaits so many comparisons, and answers with the report of them."""

    def reached():
        counts = report(gateway)["counts"]
        return counts["compared"] + counts["unanswered"] >= count

    await_until(reached, f"{count} comparisons")
    return report(gateway)


def ask(gateway, api):
    if api == "rest":
        answer = gateway.rest.post(PREDICT, BODY)
        assert answer.json() == {"predictions": [2.5]}
    else:
        gateway.grpc.predict("half_plus_two", ONE)


@pytest.mark.parametrize("api", ["rest", "grpc"])
def test_equal_answers_count_as_equal(martlet, nodes, api):
    gateway = follow(martlet, compared(nodes["one"], nodes["same"]))
    for _ in range(3):
        ask(gateway, api)
    seen = await_comparisons(gateway, 3)
    assert seen["counts"] == {
        "sent": 3,
        "dropped": 0,
        "compared": 3,
        "equal": 3,
        "unanswered": 0,
    }
    assert (seen["route"], seen["differences"], seen["examples"]) == ("r", {}, [])


def test_other_answers_count_as_different_and_are_told(martlet, nodes):
    gateway = follow(martlet, compared(nodes["one"], nodes["other"]))
    for _ in range(3):
        ask(gateway, "rest")
    seen = await_comparisons(gateway, 3)
    assert (seen["counts"]["compared"], seen["counts"]["equal"]) == (3, 0)
    assert seen["differences"] == {"number": 3}
    assert seen["largest_absolute"] == pytest.approx(1.0)
    assert seen["largest_relative"] == pytest.approx(1 / 3.5)
    example = seen["examples"][0]
    assert PREDICT in example["request"]
    assert example["differences"] == [
        {"kind": "number", "path": "$.predictions[0]", "primary": "2.5", "shadow": "3.5"}
    ]


def test_other_answers_over_grpc_count_as_different(martlet, nodes):
    gateway = follow(martlet, compared(nodes["one"], nodes["other"]))
    ask(gateway, "grpc")
    seen = await_comparisons(gateway, 1)
    assert (seen["counts"]["compared"], seen["counts"]["equal"]) == (1, 0)
    assert seen["differences"] == {"bytes": 1}


def test_compressed_answers_are_compared_by_what_is_in_them(martlet, nodes):
    gateway = follow(martlet, compared(nodes["one"], nodes["same"]))
    body = json.dumps({"instances": [float(number) for number in range(2000)]})
    answer = gateway.rest.post(PREDICT, body, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()["predictions"]) == 2000
    seen = await_comparisons(gateway, 1)
    assert (seen["counts"]["equal"], seen["differences"]) == (1, {}), seen


def test_versions_of_one_node_are_compared(martlet, tmp_path):
    model = tmp_path / "half_plus_two"
    add_version(model, 1, HALF_PLUS_TWO)
    add_version(model, 2, HALF_PLUS_THREE)
    models = {"half_plus_two": (model, "model_version_policy { all {} }")}
    file = config_file(tmp_path / "models.txt", models)
    node = martlet.serve({}, "--model-config-file", file)
    for version in (1, 2):
        node.await_state("half_plus_two", version, "AVAILABLE")
    route = {"name": "r", "rewrite": {"version": 1}, "shadow": {"version": 2, "compare": {}}}
    gateway = follow(martlet, {"pools": [pool("main", node)], "routes": [route]})
    ask(gateway, "rest")
    (example,) = await_comparisons(gateway, 1)["examples"]
    assert [(each["path"], each["shadow"]) for each in example["differences"]] == [
        ("$.predictions[0]", "3.5")
    ]


@contextlib.contextmanager
def answering(martlet, primary, shadow, **compare):
    """A gateway between two nodes that answer so."""
    with counting_node(body=primary) as one, counting_node(body=shadow) as two:
        yield follow(martlet, compared(one, two, **compare))


# By name: the answer to the client, that to the copy, what the policy says, and the kinds of things
# that differ.
PAIRS = {
    "within the tolerance": (b'{"y": [1.0]}', b'{"y": [1.00005]}', {}, []),
    "beyond the tolerance": (b'{"y": [1.0]}', b'{"y": [1.001]}', {}, ["number"]),
    "a tolerance of one's own": (b'{"y": [1.0]}', b'{"y": [1.4]}', {"absolute": 0.5}, []),
    "in relation": (b'{"y": [100.0]}', b'{"y": [109.0]}', {"relative": 0.1}, []),
    "none tolerated": (b'{"y": 1}', b'{"y": 1.00001}', {"absolute": 0, "relative": 0}, ["number"]),
    "by spaces": (b'{"a": 1, "b": 2}', b'{ "b":2,"a":1 }', {}, []),
    "in a key that may": (b'{"id": "1", "y": 1}', b'{"id": "2", "y": 1}', {}, []),
    "in a key that is named": (b'{"t": 1}', b'{"t": 2}', {"ignore_keys": ["t"]}, []),
    "in a key that is not": (b'{"id": "1"}', b'{"id": "2"}', {"ignore_keys": ["t"]}, ["text"]),
    "by a key": (b'{"a": 1}', b'{"b": 1}', {}, ["extra_key", "missing_key"]),
    "by length": (b'{"y": [1, 2]}', b'{"y": [1]}', {}, ["length"]),
    "by type": (b'{"y": 1}', b'{"y": "1"}', {}, ["type"]),
    "as one is not JSON": (b'{"y": 1}', b"y", {}, ["not_json"]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_answers_differ(martlet, name):
    primary, shadow, compare, kinds = PAIRS[name]
    with answering(martlet, primary, shadow, **compare) as gateway:
        gateway.rest.post(PREDICT, BODY).raise_for_status()
        seen = await_comparisons(gateway, 1)
    assert sorted(seen["differences"]) == kinds
    assert seen["counts"]["equal"] == (0 if kinds else 1)


def test_policy_and_metrics_tell_what_came_of_copies(martlet):
    with answering(martlet, b'{"y": 1}', b'{"y": 2}') as gateway:
        for _ in range(4):
            gateway.rest.post(PREDICT, BODY).raise_for_status()
        counts = await_comparisons(gateway, 4)["counts"]
        assert routes(gateway)["r"]["shadow"] == counts
        samples = Samples(gateway.admin.get("/metrics").text)
        assert samples.by("martlet_gateway_shadow_total", "outcome", route="r") == {
            "equal": 0,
            "different": 4,
            "unanswered": 0,
            "dropped": 0,
        }


def test_few_examples_are_kept(martlet):
    with answering(martlet, b'{"y": 1}', b'{"y": 2}') as gateway:
        for number in range(40):
            path = f"/v1/models/m{number}:predict"
            gateway.rest.post(path, BODY).raise_for_status()
        seen = await_comparisons(gateway, 40)
    assert seen["differences"] == {"number": 40}
    assert 1 <= len(seen["examples"]) <= 20


def test_answers_longer_than_allowed_are_not_compared(martlet):
    long = b'{"y": "' + b"x" * 2000 + b'"}'
    with counting_node(body=long) as one, counting_node(body=b'{"y": 1}') as two:
        policy = compared(one, two)
        policy["routes"][0]["shadow"]["body_bytes_max"] = 1024
        gateway = follow(martlet, policy)
        assert gateway.rest.post(PREDICT, BODY).content == long
        seen = await_comparisons(gateway, 1)
    assert (seen["counts"]["compared"], seen["differences"]) == (0, {})
