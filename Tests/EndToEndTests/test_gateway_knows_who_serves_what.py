"""Nodes of one pool that serve different models: requests go to those that have theirs."""

import itertools

import pytest
from harness.clients import RestClient
from harness.held_nodes import BODY
from harness.models import fixture
from harness.policies import follow, pool
from harness.waiting import await_until

TWO, THREE = fixture("half_plus_two"), fixture("half_plus_two_v2")

# What 1.0 becomes: the nodes are told apart by `both`.
VALUES = {"left": 2.5, "right": 3.5}


@pytest.fixture(scope="module")
def nodes(module_martlet):
    """Two nodes: each has a model of its own, and both have a third."""
    left = module_martlet.serve({"left": TWO, "both": TWO, "common": TWO})
    right = module_martlet.serve({"right": THREE, "both": THREE, "common": TWO})
    return left, right


def answers(gateway, model, count):
    """What a model makes of 1.0, so often; each time it is found."""
    got = []
    for _ in range(count):
        answer = gateway.rest.post(f"/v1/models/{model}:predict", BODY)
        assert answer.status_code == 200, answer.text
        got.append(answer.json()["predictions"][0])
    return got


@pytest.mark.parametrize(
    "balancing",
    ["dynamic_weighted_round_robin", "round_robin", "least_request", "prequal", "consistent_hash"],
)
def test_requests_go_to_the_node_that_has_their_model(martlet, nodes, balancing):
    gateway = follow(martlet, {"pools": [pool("main", *nodes, balancing=balancing)]})
    for model in itertools.islice(itertools.cycle(VALUES), 200):
        assert answers(gateway, model, 1) == [VALUES[model]]
    # No node was asked in vain.
    samples = gateway.admin.metrics()
    assert samples.total("martlet_gateway_requests_total", code="200") == 200
    assert samples.total("martlet_gateway_retries_total") == 0


def test_models_that_both_have_are_answered_by_both(martlet, nodes):
    gateway = follow(martlet, {"pools": [pool("main", *nodes, balancing="round_robin")]})
    got = answers(gateway, "both", 20)
    assert (got.count(2.5), got.count(3.5)) == (10, 10)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/{}/versions/{}:predict",
        "/V1/Models/{}:Predict",
        "/v1/models/{}",
        "/v1/models/{}/metadata",
        "/v2/models/{}/ready",
        "/v2/models/{}",
    ],
)
def test_every_way_to_ask_for_a_model_finds_it(martlet, nodes, path):
    gateway = follow(martlet, {"pools": [pool("main", *nodes, balancing="round_robin")]})
    for model, version in (("left", 1), ("right", 2)) * 5:
        url = path.format(model, version)
        ask = gateway.rest.post if url.lower().endswith("predict") else gateway.rest.get
        answer = ask(url, BODY) if ask == gateway.rest.post else ask(url)
        assert answer.status_code == 200, (url, answer.text)


def test_models_that_nobody_has_are_not_found(martlet, nodes):
    gateway = follow(martlet, {"pools": [pool("main", *nodes)]})
    assert gateway.rest.post("/v1/models/none:predict", BODY).status_code == 404


def test_nodes_are_used_alike_where_models_are_not_asked_for(martlet, nodes):
    health = {"interval_seconds": 0.2, "models": False}
    pools = [pool("main", *nodes, balancing="round_robin", health=health)]
    gateway = follow(martlet, {"pools": pools})
    statuses = [gateway.rest.post("/v1/models/left:predict", BODY).status_code for _ in range(10)]
    assert sorted(statuses) == [200] * 5 + [404] * 5


def test_node_that_unloads_a_model_loses_its_requests(martlet):
    nodes = [martlet.serve({"both": TWO, "own": TWO}), martlet.serve({"both": THREE})]
    gateway = follow(martlet, {"pools": [pool("main", *nodes, balancing="round_robin")]})
    assert set(answers(gateway, "both", 10)) == {2.5, 3.5}
    client = RestClient(nodes[0].address)
    change(client, "unload")

    def is_known():
        models = {model["name"]: model for model in gateway.endpoints()[nodes[0].address]["models"]}
        versions = models.get("both", {"versions": []})["versions"]
        return all(version["state"] != "AVAILABLE" for version in versions)

    # A few checks are made in that time.
    await_until(is_known, "the gateway to know", 3)
    assert answers(gateway, "both", 100) == [3.5] * 100
    # It is well, and has what else it has.
    assert gateway.endpoints()[nodes[0].address]["healthy"]
    assert answers(gateway, "own", 10) == [2.5] * 10
    change(client, "load")
    await_until(lambda: not is_known(), "the gateway to know", 3)
    await_until(lambda: set(answers(gateway, "both", 4)) == {2.5, 3.5}, "both to be used", 3)
    client.close()


def change(client, how):
    """Loads or unloads the model that both have."""
    answer = client.post(f"/v2/repository/models/both/{how}", {})
    assert answer.status_code == 200, answer.text
