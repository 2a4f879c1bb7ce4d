"""A gateway at the edge: some models near the users, all in the centre behind a gateway."""

import pytest
from harness.held_nodes import BODY
from harness.models import fixture
from harness.policies import follow, pool
from harness.waiting import await_until

NEAR, FAR = fixture("half_plus_two"), fixture("half_plus_two_v2")

# What they make of 1.0.
NEAR_VALUE, FAR_VALUE = 2.5, 3.5

HERE = {"region": "eu", "zone": "edge-7"}
CENTRE = {"region": "eu", "zone": "centre"}


class Sites:
    """An edge with a node of its own, and the centre; both serve `hot`, only the centre `rare`."""

    def __init__(self, martlet):
        self.replica = martlet.serve({"hot": NEAR})
        self.node = martlet.serve({"hot": FAR, "rare": FAR})
        self.centre = martlet.gateway([self.node])
        endpoints = [
            {"address": self.replica.address, **HERE},
            {"address": self.centre.address, **CENTRE},
        ]
        nearness = {"nearness": {"prefer": "zone"}, "balancing": "round_robin"}
        self.edge = follow(
            martlet,
            {
                "locality": HERE,
                "cache": {"memory_bytes": 16 << 20},
                "pools": [{**pool("sites", **nearness), "endpoints": endpoints}],
                "routes": [
                    {"name": "rare", "match": {"models": ["rare"]}, "cache": True},
                    {"name": "rest"},
                ],
            },
        )
        await_until(self.knows_models, "the edge to know who serves what")

    def knows_models(self):
        return self.ask("rare").status_code == 200

    def ask(self, model):
        return self.edge.rest.post(f"/v1/models/{model}:predict", BODY)

    def values(self, model, count):
        answers = [self.ask(model) for _ in range(count)]
        assert [answer.status_code for answer in answers] == [200] * count
        return {answer.json()["predictions"][0] for answer in answers}


@pytest.fixture
def sites(martlet):
    return Sites(martlet)


def asked_of(node, model):
    return node.rest.metrics().total("martlet_requests_total", model=model)


def test_what_is_near_is_answered_nearby_and_the_rest_by_the_centre(sites):
    assert sites.values("hot", 20) == {NEAR_VALUE}
    assert asked_of(sites.node, "hot") == 0
    assert sites.values("rare", 5) == {FAR_VALUE}


def test_the_centre_takes_over_from_a_replica_that_dies(sites):
    assert sites.values("hot", 5) == {NEAR_VALUE}
    sites.replica.kill()
    assert sites.values("hot", 20) == {FAR_VALUE}
    assert sites.edge.admin.metrics().total("martlet_gateway_retries_total") <= 3


def test_what_was_asked_before_is_answered_while_the_centre_is_away(sites):
    """Answers of the centre are kept at the edge: asking again costs it nothing."""
    assert sites.values("rare", 10) == {FAR_VALUE}
    assert asked_of(sites.node, "rare") == 1
    sites.centre.kill()
    assert sites.values("rare", 5) == {FAR_VALUE}
    assert sites.values("hot", 5) == {NEAR_VALUE}
