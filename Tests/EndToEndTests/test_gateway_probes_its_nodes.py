"""Probes of Prequal: what they tell between health checks, which come too seldom here."""

import contextlib
import threading

import pytest
from harness.held_nodes import BODY, PREDICT
from harness.load import Load
from harness.load_reports import FIELD, in_flight, text
from harness.policies import change, counting_node, follow, pool
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)

SELDOM = {"interval_seconds": 60}


@pytest.fixture
def nodes():
    """Three servers that tell of their load when they are asked whether they are well."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(counting_node()) for _ in range(3)]


def probed(martlet, *nodes, **settings):
    settings = {"balancing": "prequal", "health": SELDOM, **settings}
    return follow(martlet, {"pools": [pool("main", *nodes, **settings)]})


def probes(gateway):
    return gateway.admin.metrics().by("martlet_gateway_probes_total", "outcome")


def counts(gateway, nodes, requests):
    """How many of so many further requests each node gets; all are answered."""
    before = [len(node.requests) for node in nodes]
    for _ in range(requests):
        assert gateway.rest.post(PREDICT, BODY).status_code == 200
    return [len(node.requests) - count for node, count in zip(nodes, before, strict=True)]


def crowd(nodes, but):
    """Has all nodes say that they work for many others, but for one."""
    for node in nodes:
        node.page_fields = {FIELD: in_flight(0 if node is but else 100)}


def test_requests_go_where_probes_find_room(martlet, nodes):
    crowd(nodes, but=nodes[0])
    gateway = probed(martlet, *nodes)
    for free in (nodes[0], nodes[2], nodes[1]):
        crowd(nodes, but=free)
        expected = [20 if node is free else 0 for node in nodes]
        await_until(
            lambda expected=expected: counts(gateway, nodes, 20) == expected,
            "all requests to go to the node with room",
        )
    outcomes = probes(gateway)
    assert outcomes["taken"] >= 6
    assert outcomes.keys() == {"taken"}


def test_nodes_are_probed_while_there_are_no_requests(martlet, nodes):
    crowd(nodes, but=nodes[0])
    gateway = probed(martlet, *nodes)
    await_until(lambda: probes(gateway).get("taken", 0) >= 9, "three rounds of probes")
    assert [node.requests for node in nodes] == [[], [], []]


def test_probes_come_no_more_often_than_they_may(martlet, nodes):
    crowd(nodes, but=nodes[0])
    gateway = probed(martlet, *nodes, probes={"spacing_seconds": 60})
    await_until(lambda: probes(gateway).get("taken", 0) >= 3, "the first round of probes")
    counts(gateway, nodes, 60)
    assert probes(gateway) == {"taken": 3}


@pytest.mark.parametrize("page_fields", [{}, {FIELD: text(cpu_utilization=0.5)}, {FIELD: "?"}])
def test_servers_that_do_not_tell_are_soon_left_alone(martlet, nodes, page_fields):
    for node in nodes:
        node.page_fields = page_fields
    gateway = probed(martlet, *nodes)
    await_until(
        lambda: counts(gateway, nodes, 10) and probes(gateway).get("silent", 0) >= 9,
        "each to be asked three times",
    )
    # What passes tells enough.
    assert sum(counts(gateway, nodes, 150)) == 150
    assert probes(gateway).keys() == {"silent"}
    # Each may have been asked once more since.
    assert probes(gateway)["silent"] <= 18


def test_server_that_does_not_answer_probes_serves_all_the_same(martlet, nodes):
    crowd(nodes, but=nodes[0])
    gateway = probed(martlet, *nodes[:1], probes={"timeout_seconds": 0.05})
    nodes[0].pages = Hanging(nodes[0].pages)
    await_until(lambda: probes(gateway).get("failed", 0) >= 2, "probes without an answer")
    assert counts(gateway, nodes[:1], 20) == [20]
    assert gateway.endpoints()[nodes[0].address]["healthy"]
    nodes[0].pages.release()


class Hanging(dict):
    """Pages that come when they are released."""

    def __init__(self, pages):
        super().__init__(pages)
        self.event = threading.Event()

    def release(self):
        self.event.set()

    def get(self, path, default=None):
        self.event.wait(100)
        return super().get(path, default)


def test_probing_is_switched_off_and_on_by_the_policy(martlet, nodes):
    crowd(nodes, but=nodes[0])
    gateway = probed(martlet, *nodes, probes={"enabled": False})
    # What was said at the first check is no number of requests.
    assert sum(counts(gateway, nodes, 150)[1:]) > 0
    assert probes(gateway) == {}
    settings = {"balancing": "prequal", "health": SELDOM}
    change(gateway, {"pools": [pool("main", *nodes, **settings)]})
    await_until(lambda: counts(gateway, nodes, 20) == [20, 0, 0], "probes to tell")


def test_nodes_of_ours_answer_probes_under_load(martlet):
    nodes = [martlet.serve(("half_plus_two",)) for _ in range(3)]
    gateway = probed(martlet, *nodes)
    with Load(gateway.address, 3, 3) as load:
        load.await_more(100)
        endpoints = gateway.endpoints()
    assert load.failures == []
    assert min(endpoint["requests"] for endpoint in endpoints.values()) > 0
    outcomes = probes(gateway)
    assert outcomes["taken"] >= 20
    assert "silent" not in outcomes
