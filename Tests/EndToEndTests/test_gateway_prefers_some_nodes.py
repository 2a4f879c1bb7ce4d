"""Which nodes get how much: by stated weights, by where they stand, and in a panic."""

import contextlib

import pytest
from harness.faults import well_by_its_word
from harness.held_nodes import BODY, PREDICT, held_node, in_background, one_post
from harness.policies import counting_node, follow, pool
from harness.waiting import await_until

HERE = {"region": "eu", "zone": "eu-1"}
NEARBY = {"region": "eu", "zone": "eu-2"}
FAR = {"region": "us", "zone": "us-1"}


@pytest.fixture
def nodes():
    """Five nodes that count what they get."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(counting_node()) for _ in range(5)]


def at(node, place=None, **settings):
    return {"address": node.address, **(place or {}), **settings}


def located(*endpoints, prefer="zone", own=HERE, **settings):
    """A policy of a gateway that knows where it stands."""
    settings.setdefault("balancing", "round_robin")
    settings["nearness"] = {"prefer": prefer, **settings.pop("nearness", {})}
    return {"locality": own, "pools": [pool("main", *endpoints, **settings)]}


def counts(gateway, nodes, requests):
    """How many of so many further requests each node gets; all are answered."""
    before = [len(node.requests) for node in nodes]
    for _ in range(requests):
        assert gateway.rest.post(PREDICT, BODY).status_code == 200
    return [len(node.requests) - count for node, count in zip(nodes, before, strict=True)]


def close(gateway, node):
    """Ends a node, and awaits that the gateway knows."""
    node.die()
    gateway.await_health(node, healthy=False)


def make_unwell(gateway, *nodes):
    """Has nodes fail their checks, though they can be connected to and answer."""
    for node in nodes:
        node.pages = {}
    for node in nodes:
        gateway.await_health(node, healthy=False)


# Weights


def test_nodes_get_exactly_what_their_weights_say(martlet, nodes):
    heavy, light = nodes[:2]
    endpoints = [at(heavy, weight=3), at(light)]
    gateway = follow(martlet, {"pools": [pool("main", *endpoints, balancing="round_robin")]})
    assert counts(gateway, [heavy, light], 400) == [300, 100]


def test_weights_hold_over_every_few_requests(martlet, nodes):
    endpoints = [at(nodes[0], weight=2), at(nodes[1], weight=0.5), at(nodes[2], weight=1.5)]
    gateway = follow(martlet, {"pools": [pool("main", *endpoints, balancing="round_robin")]})
    for _ in range(5):
        assert counts(gateway, nodes[:3], 8) == [4, 1, 3]


def test_weights_count_as_long_as_nodes_report_nothing(martlet, nodes):
    endpoints = [at(nodes[0], weight=4), at(nodes[1])]
    gateway = follow(martlet, {"pools": [pool("main", *endpoints)]})
    assert counts(gateway, nodes[:2], 50) == [40, 10]


def test_nodes_that_carry_more_have_more_under_way(martlet):
    with held_node() as (heavy, _, release), held_node() as (light, _, also_release):
        endpoints = [at(heavy, weight=4), at(light)]
        gateway = follow(martlet, {"pools": [pool("main", *endpoints, balancing="least_request")]})
        join = in_background(*[lambda: one_post(gateway)] * 20)
        await_until(lambda: len(heavy.requests) + len(light.requests) == 20, "all requests")
        assert abs(len(light.requests) - 4) <= 1
        release.set()
        also_release.set()
        assert {answer.status_code for answer in join()} == {200}


def test_changed_weights_count_at_once(martlet, nodes):
    def policy(weight):
        endpoints = [at(nodes[0], weight=weight), at(nodes[1])]
        return {"pools": [pool("main", *endpoints, balancing="round_robin")]}

    gateway = follow(martlet, policy(1))
    assert counts(gateway, nodes[:2], 20) == [10, 10]
    gateway.policy.write(policy(3))
    gateway.admin.post("/v1/policy:reload", "").raise_for_status()
    assert counts(gateway, nodes[:2], 40) == [30, 10]


# Nearness


def test_near_nodes_get_all_and_the_next_ones_when_they_are_gone(martlet, nodes):
    here, nearby, far = nodes[:3]
    endpoints = [at(here, HERE), at(nearby, NEARBY), at(far, FAR)]
    gateway = follow(martlet, located(*endpoints))
    assert counts(gateway, nodes[:3], 60) == [60, 0, 0]
    close(gateway, here)
    assert counts(gateway, nodes[1:3], 60) == [60, 0]
    close(gateway, nearby)
    assert counts(gateway, [far], 20) == [20]


def test_no_request_is_lost_when_the_near_node_is_gone(martlet, nodes):
    here, far = nodes[:2]
    gateway = follow(martlet, located(at(here, HERE), at(far, FAR)))
    assert counts(gateway, [here, far], 10) == [10, 0]
    here.die()
    assert counts(gateway, [far], 20) == [20]


@pytest.mark.parametrize(
    ("prefer", "own", "expected"),
    [
        ("region", HERE, [30, 30, 0]),
        ("none", HERE, [20, 20, 20]),
        ("zone", FAR, [0, 0, 60]),
        # A gateway whose zone has no nodes takes its region's.
        ("zone", {"region": "eu", "zone": "eu-9"}, [30, 30, 0]),
    ],
)
def test_what_counts_as_near_is_said(martlet, nodes, prefer, own, expected):
    endpoints = [at(nodes[0], HERE), at(nodes[1], NEARBY), at(nodes[2], FAR)]
    gateway = follow(martlet, located(*endpoints, prefer=prefer, own=own))
    assert counts(gateway, nodes[:3], 60) == expected


@pytest.mark.parametrize(
    ("overprovisioning", "near"), [(None, 0.7), (1, 0.5), (2, 1.0)], ids=["usual", "none", "twice"]
)
def test_half_of_the_near_nodes_send_on_what_they_cannot_carry(
    martlet, nodes, overprovisioning, near
):
    near_nodes, far = nodes[:4], nodes[4]
    endpoints = [at(node, HERE) for node in near_nodes] + [at(far, FAR)]
    nearness = {} if overprovisioning is None else {"overprovisioning": overprovisioning}
    gateway = follow(martlet, located(*endpoints, nearness=nearness))
    make_unwell(gateway, *near_nodes[:2])
    requests = 300
    got = counts(gateway, nodes, requests)
    assert got[:2] == [0, 0]
    expected, deviation = requests * (1 - near), (requests * near * (1 - near)) ** 0.5
    # Give or take six standard deviations.
    assert abs(got[4] - expected) <= 6 * deviation
    # Those that are left get the same.
    assert abs(got[2] - got[3]) <= 1


# Panic


def test_few_nodes_that_are_well_get_all_unless_panic_is_allowed(martlet, nodes):
    gateway = follow(martlet, {"pools": [pool("main", *nodes[:4], balancing="round_robin")]})
    make_unwell(gateway, *nodes[1:4])
    assert counts(gateway, nodes[:4], 20) == [20, 0, 0, 0]


def test_all_are_used_when_too_few_are_well_to_be_believed(martlet, nodes):
    settings = {"balancing": "round_robin", "panic_percent": 50}
    gateway = follow(martlet, {"pools": [pool("main", *nodes[:4], **settings)]})
    make_unwell(gateway, *nodes[2:4])
    # Half is not below half.
    assert counts(gateway, nodes[:4], 20) == [10, 10, 0, 0]
    make_unwell(gateway, nodes[1])
    assert min(counts(gateway, nodes[:4], 40)) >= 8
    for node in nodes[1:4]:
        node.pages = well_by_its_word()
    for node in nodes[1:4]:
        gateway.await_health(node, healthy=True)
    assert counts(gateway, nodes[:4], 40) == [10] * 4


def test_nodes_that_cannot_be_connected_to_are_not_used_in_a_panic(martlet, nodes):
    settings = {"balancing": "round_robin", "panic_percent": 75}
    gateway = follow(martlet, {"pools": [pool("main", *nodes[:3], **settings)]})
    # A request finds it gone before a check does.
    nodes[2].die()
    await_until(
        lambda: (
            counts(gateway, nodes[:2], 3) and not gateway.endpoints()[nodes[2].address]["healthy"]
        ),
        "the dead one to be found out",
    )
    make_unwell(gateway, nodes[1])
    before = gateway.endpoints()[nodes[2].address]["requests"]
    got = counts(gateway, nodes[:2], 20)
    assert min(got) >= 8
    assert gateway.endpoints()[nodes[2].address]["requests"] == before
