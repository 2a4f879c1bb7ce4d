"""Budgets of retries, and nodes that are put out of use for how they answer."""

import concurrent.futures
import contextlib
import itertools
import threading
import time

import pytest
from harness.clients import RestClient
from harness.faults import failing_node, well_by_its_word
from harness.held_nodes import BODY, PREDICT
from harness.policies import counting_node, follow, pool
from harness.stand_ins import stand_in
from harness.waiting import await_until

NO_EJECTION = {"consecutive_failures": 0, "success_rate_deviations": 0}


def closing_node():
    """A node that is well by its word, and closes the connection in place of an answer."""

    def answer(handler, _):
        handler.close_connection = True
        handler.connection.close()

    return stand_in(answer, well_by_its_word())


def ejected(gateway, *nodes):
    """Which of the nodes are ejected."""
    endpoints = gateway.endpoints()
    return [node for node in nodes if endpoints[node.address]["ejected"]]


def causes(gateway, node):
    """Why a node was ejected, and how often."""
    samples = gateway.admin.metrics()
    return samples.by("martlet_gateway_ejections_total", "cause", endpoint=node.address)


# Budgets of retries


def budgeted(*nodes, **retries):
    pools = [pool("main", *nodes, balancing="round_robin", outliers=NO_EJECTION)]
    routes = [
        {"name": "sparing", "match": {"models": ["sparing"]}, "retries": retries},
        {"name": "usual"},
    ]
    return {"pools": pools, "routes": routes}


def statuses(gateway, model, count):
    path = f"/v1/models/{model}:predict"
    return [gateway.rest.post(path, BODY).status_code for _ in range(count)]


@pytest.mark.parametrize("allowed", [0, 3])
def test_no_more_is_tried_again_than_is_always_allowed(martlet, allowed):
    with closing_node() as closing, counting_node() as good:
        policy = budgeted(closing, good, budget_percent=0, budget_retries_min=allowed)
        gateway = follow(martlet, policy)
        before = len(closing.requests)
        got = statuses(gateway, "sparing", 20)
        # Each attempt at the one that closes is tried again, or the client's answer.
        assert len(closing.requests) - before == got.count(503) + allowed
        assert got.count(503) >= 5
        assert gateway.admin.metrics().total("martlet_gateway_retries_total") == allowed


def test_share_of_requests_is_tried_again(martlet):
    with closing_node() as closing, counting_node() as good:
        policy = budgeted(closing, good, budget_percent=25, budget_retries_min=0)
        gateway = follow(martlet, policy)
        got = statuses(gateway, "sparing", 40)
        retries = gateway.admin.metrics().total("martlet_gateway_retries_total")
        # Half of them would need it.
        assert 5 <= retries <= 10
        assert got.count(503) >= 5


def test_budget_of_a_route_is_its_own(martlet):
    with closing_node() as closing, counting_node() as good:
        policy = budgeted(closing, good, budget_percent=0, budget_retries_min=0)
        gateway = follow(martlet, policy)
        assert 503 in statuses(gateway, "sparing", 20)
        assert set(statuses(gateway, "other", 10)) == {200}


# Ejection


class Speed:
    """A node that takes its time, or not."""

    def __init__(self, seconds):
        self.seconds = seconds

    def answer(self, handler, _):
        time.sleep(self.seconds)
        handler.send(200, b"{}")

    def node(self):
        return stand_in(self.answer, well_by_its_word())


@contextlib.contextmanager
def load(gateway, clients=6):
    """Requests without end until the block does; how they were answered."""
    stopping = threading.Event()

    def run():
        got = []
        with contextlib.closing(RestClient(gateway.address)) as client:
            while not stopping.is_set():
                got.append(client.post(PREDICT, BODY).status_code)
        return got

    answers = []
    with concurrent.futures.ThreadPoolExecutor(clients) as workers:
        running = [workers.submit(run) for _ in range(clients)]
        try:
            yield answers
        finally:
            stopping.set()
    answers += itertools.chain.from_iterable(each.result() for each in running)


COMPARED = {
    "consecutive_failures": 0,
    "success_rate_deviations": 0,
    "interval_seconds": 0.5,
    "ejection_seconds": 60,
    "requests_min": 5,
}


def test_slow_node_is_ejected_by_comparison(martlet):
    with Speed(0.15).node() as slow, Speed(0).node() as one, Speed(0).node() as two:
        outliers = {**COMPARED, "latency_ratio_max": 3}
        pools = [pool("main", slow, one, two, balancing="round_robin", outliers=outliers)]
        gateway = follow(martlet, {"pools": pools})
        with load(gateway) as answers:
            await_until(lambda: ejected(gateway, slow), "the slow one to be ejected", 8)
        assert ejected(gateway, slow, one, two) == [slow]
        assert causes(gateway, slow) == {"latency": 1}
        assert set(answers) == {200}
        before = len(slow.requests)
        assert statuses(gateway, "m", 20) == [200] * 20
        assert len(slow.requests) == before


def test_slow_node_stays_where_latencies_are_not_compared(martlet):
    with Speed(0.1).node() as slow, Speed(0).node() as one, Speed(0).node() as two:
        outliers = {**COMPARED, "latency_ratio_max": 0}
        pools = [pool("main", slow, one, two, balancing="round_robin", outliers=outliers)]
        gateway = follow(martlet, {"pools": pools})
        with load(gateway):
            # That is some intervals.
            await_until(lambda: len(slow.requests) >= 60, "the slow one to be asked", 8)
        assert ejected(gateway, slow, one, two) == []


def test_node_that_fails_more_than_the_others_is_ejected(martlet):
    count = itertools.count()

    def fail_often(handler, _):
        handler.send(500 if next(count) % 2 else 200, b"{}")

    with contextlib.ExitStack() as stack:
        bad = stack.enter_context(stand_in(fail_often, well_by_its_word()))
        good = [stack.enter_context(Speed(0).node()) for _ in range(4)]
        outliers = {**COMPARED, "success_rate_deviations": 1}
        pools = [pool("main", bad, *good, balancing="round_robin", outliers=outliers)]
        gateway = follow(martlet, {"pools": pools})
        with load(gateway, clients=4) as answers:
            await_until(lambda: ejected(gateway, bad), "the bad one to be ejected", 8)
        assert ejected(gateway, bad, *good) == [bad]
        assert causes(gateway, bad) == {"success_rate": 1}
        # What it failed was asked elsewhere, as long as the budget lasted.
        assert answers.count(200) > len(answers) / 2


@pytest.mark.parametrize(("percent", "expected"), [(25, 1), (50, 2), (75, 3), (100, 3)])
def test_no_more_nodes_are_ejected_than_allowed(martlet, percent, expected):
    with contextlib.ExitStack() as stack:
        bad = [stack.enter_context(failing_node(500)) for _ in range(3)]
        good = stack.enter_context(counting_node())
        outliers = {
            "consecutive_failures": 2,
            "ejection_seconds": 60,
            "ejected_percent_max": percent,
            "success_rate_deviations": 0,
        }
        pools = [pool("main", *bad, good, balancing="round_robin", outliers=outliers)]
        gateway = follow(martlet, {"pools": pools})
        for _ in range(40):
            gateway.rest.post(PREDICT, BODY)
        assert len(ejected(gateway, *bad)) == expected
        assert ejected(gateway, good) == []


def test_ejected_nodes_are_used_again_in_a_panic(martlet):
    with failing_node(500) as bad, counting_node() as good:
        outliers = {"consecutive_failures": 2, "ejection_seconds": 60}
        settings = {"balancing": "round_robin", "outliers": outliers, "panic_percent": 75}
        gateway = follow(martlet, {"pools": [pool("main", bad, good, **settings)]})
        for _ in range(10):
            gateway.rest.post(PREDICT, BODY)
        assert ejected(gateway, bad) == [bad]
        before = len(bad.requests)
        for _ in range(10):
            gateway.rest.post(PREDICT, BODY)
        assert len(bad.requests) > before


def test_ejections_last_as_long_as_told(martlet):
    with failing_node(500) as bad, counting_node() as good:
        outliers = {"consecutive_failures": 2, "ejection_seconds": 0.5, "ejection_seconds_max": 0.5}
        pools = [pool("main", bad, good, balancing="round_robin", outliers=outliers)]
        gateway = follow(martlet, {"pools": pools})
        for _ in range(2):
            while not ejected(gateway, bad):
                gateway.rest.post(PREDICT, BODY)
            await_until(lambda: not ejected(gateway, bad), "its return", 5)
        assert causes(gateway, bad) == {"consecutive_failures": 2}
