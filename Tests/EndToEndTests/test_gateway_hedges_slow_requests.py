"""Requests that wait long are sent to a second node too: the first answer counts."""

import concurrent.futures
import threading

import pytest
from harness.clients import GrpcClient, predict_request
from harness.faults import well_by_its_word
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import answer_y, grpc_node, held_grpc_node, y_of
from harness.held_nodes import (
    BODY,
    PREDICT,
    await_close,
    hanging_node,
    held_node,
    in_background,
    one_post,
)
from harness.policies import counting_node, follow, pool
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

CHAT = "/v1/responses"
ONE = {"x": tensor("float", [1.0])}
# Long enough for whatever answers at once, on a busy machine.
DELAY = 0.5


def hedged(*nodes, health=None, **hedging):
    """A policy that asks another node after a moment, whatever share of the requests that is."""
    settings = {"balancing": "round_robin"} | ({"health": health} if health else {})
    hedging = {"budget_percent": 100, **hedging}
    if "delay_percentile" not in hedging:
        hedging.setdefault("delay_seconds", DELAY)
    route = {"name": "r", "hedging": hedging}
    return {"pools": [pool("main", *nodes, **settings)], "routes": [route]}


def outcomes(gateway):
    """How often it was decided which way."""
    return gateway.admin.metrics().by("martlet_gateway_hedges_total", "outcome")


def await_none_in_flight(gateway):
    await_until(
        lambda: not any(endpoint["in_flight"] for endpoint in gateway.endpoints().values()),
        "every attempt to be over",
    )


def test_faster_node_answers_and_the_slower_is_let_go(martlet):
    with hanging_node() as slow, counting_node() as quick:
        gateway = follow(martlet, hedged(slow, quick))
        for _ in range(4):
            answer = gateway.rest.post(PREDICT, BODY)
            assert (answer.status_code, answer.json()["port"]) == (200, quick.server_port)
        # Each had its turn.
        assert len(slow.requests) == 2
        for path, _, body in slow.requests:
            assert (path, body.decode()) == (PREDICT, BODY)
            assert slow.closed.acquire(timeout=60), "the slower one is still asked"
        assert outcomes(gateway)["sent"] == 2
        await_none_in_flight(gateway)
        samples = gateway.admin.metrics()
        assert samples.total("martlet_gateway_requests_total") == 4
        assert samples.total("martlet_gateway_requests_total", code="200") == 4


def test_faster_node_answers_over_grpc_and_the_slower_is_let_go(martlet):
    with held_grpc_node() as slow, grpc_node(answer_y(7.0)) as quick:
        gateway = follow(martlet, hedged(slow, quick, health=GRPC_CHECKS))
        for _ in range(4):
            assert y_of(gateway.grpc.predict("m", ONE)) == [7.0]
        assert len(slow.methods) == 2
        for _ in slow.methods:
            assert slow.cancelled.acquire(timeout=60), "the slower one is still asked"
        assert outcomes(gateway)["sent"] == 2
        await_none_in_flight(gateway)
        assert gateway.admin.metrics().total("martlet_gateway_requests_total", code="OK") == 4


class Pair:
    """Two nodes of which that which is asked first answers once the other one was asked."""

    def __init__(self, answer_second):
        self.answer_second = answer_second
        self.asked = []
        self.second_is_over = threading.Event()
        self.lock = threading.Lock()

    def answer(self, handler, _):
        with self.lock:
            self.asked.append(handler.server.server_port)
            is_first = len(self.asked) == 1
        if is_first:
            self.second_is_over.wait(100)
            handler.send(200, b'{"by": "the first"}')
        else:
            self.answer_second(self, handler)

    def node(self):
        return stand_in(self.answer, well_by_its_word())


def hang(pair, handler):
    pair.second_is_over.set()
    await_close(handler)


def fail(pair, handler):
    handler.send(500, b"{}")
    pair.second_is_over.set()


def refuse(pair, handler):
    handler.send(503, b"{}")
    pair.second_is_over.set()


def close(pair, handler):
    handler.close_connection = True
    handler.connection.close()
    pair.second_is_over.set()


@pytest.mark.parametrize("what_the_second_does", [hang, fail, refuse, close])
def test_first_answer_counts_though_its_node_was_given_up_once(martlet, what_the_second_does):
    pair = Pair(what_the_second_does)
    with pair.node() as one, pair.node() as two:
        gateway = follow(martlet, hedged(one, two))
        answer = gateway.rest.post(PREDICT, BODY)
        assert (answer.status_code, answer.text) == (200, '{"by": "the first"}')
        assert sorted(pair.asked) == sorted([one.server_port, two.server_port])
        await_none_in_flight(gateway)


def test_requests_that_may_not_run_twice_are_not_hedged(martlet):
    with held_node() as (one, held, release), held_node() as (two, also_held, also_release):
        gateway = follow(martlet, hedged(one, two))
        join = in_background(lambda: one_post(gateway, CHAT, '{"model": "m", "messages": []}'))
        await_until(lambda: one.requests or two.requests, "the first request")
        # It came later, and is hedged by now.
        join_later = in_background(lambda: one_post(gateway))
        await_until(lambda: len(one.requests) + len(two.requests) == 3, "the hedge")
        paths = [path for path, _, _ in one.requests + two.requests]
        assert sorted(paths) == sorted([CHAT, PREDICT, PREDICT])
        release.set()
        also_release.set()
        assert [answer.status_code for answer in join() + join_later()] == [200, 200]
        assert held.acquire(timeout=60)
        assert also_held.acquire(timeout=60)


class Sleeper:
    """A node that answers at once until it `hangs`."""

    def __init__(self):
        self.hangs = threading.Event()

    def node(self):
        return stand_in(self.answer, well_by_its_word())

    def answer(self, handler, _):
        if self.hangs.is_set():
            await_close(handler)
        else:
            handler.send(200, b"{}")


@pytest.mark.parametrize("attempts", [2, 3])
def test_no_more_nodes_are_asked_at_once_than_allowed(martlet, attempts):
    sleeper = Sleeper()
    with sleeper.node() as one, sleeper.node() as two, sleeper.node() as three:
        policy = hedged(one, two, three, attempts_max=attempts, delay_seconds=0.2)
        policy["routes"][0]["timeouts"] = {"total_seconds": 4}
        gateway = follow(martlet, policy)
        # Each saves up for another attempt at a later one.
        for _ in range(6):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        sent = outcomes(gateway).get("sent", 0)
        before = [len(node.requests) for node in (one, two, three)]
        sleeper.hangs.set()
        join = in_background(lambda: one_post(gateway))
        await_until(lambda: outcomes(gateway).get("already_hedged"), "the last decision")
        assert outcomes(gateway)["sent"] == sent + attempts - 1
        after = [len(node.requests) for node in (one, two, three)]
        asked = [now - then for now, then in zip(after, before, strict=True)]
        assert sorted(asked) == [0] * (3 - attempts) + [1] * attempts
        assert join()[0].status_code == 504
        await_none_in_flight(gateway)


def test_client_that_leaves_ends_every_attempt(martlet):
    with held_grpc_node() as one, held_grpc_node() as two:
        gateway = follow(martlet, hedged(one, two, health=GRPC_CHECKS))
        client = GrpcClient(gateway.address)
        call = client.prediction.Predict.future(predict_request("m", ONE), timeout=200)
        for node in (one, two):
            assert node.held.acquire(timeout=60)
        call.cancel()
        for node in (one, two):
            assert node.cancelled.acquire(timeout=60), "an attempt outlives its client"
        client.close()
        await_none_in_flight(gateway)


def test_hedges_stay_within_their_budget_when_all_nodes_are_slow(martlet):
    count, percent = 60, 10
    with held_node() as (one, _, release), held_node() as (two, _, also_release):
        gateway = follow(martlet, hedged(one, two, budget_percent=percent, delay_seconds=0.3))
        with concurrent.futures.ThreadPoolExecutor(count) as clients:
            answers = [clients.submit(one_post, gateway) for _ in range(count)]

            def decided():
                seen = outcomes(gateway)
                return seen.get("sent", 0) + seen.get("hedge_budget_exhausted", 0) >= count

            await_until(decided, "a decision about each request")
            release.set()
            also_release.set()
            assert {answer.result().status_code for answer in answers} == {200}
        sent = outcomes(gateway)["sent"]
        assert 1 <= sent <= count * percent / 100
        assert len(one.requests) + len(two.requests) == count + sent


def test_delay_follows_the_latencies_seen(martlet):
    sleeper = Sleeper()
    with sleeper.node() as slow, counting_node() as quick:
        gateway = follow(martlet, hedged(slow, quick, delay_percentile=95))
        # As long as too little is known of latencies, nothing is hedged.
        for _ in range(50):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        assert not outcomes(gateway).get("sent")
        for _ in range(70):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        before = len(slow.requests)
        sleeper.hangs.set()
        for _ in range(4):
            answer = gateway.rest.post(PREDICT, BODY, timeout=60)
            assert answer.json()["port"] == quick.server_port
        assert len(slow.requests) > before
