"""Breakers: what is beyond a pool's limits is refused at once, and the next one is served."""

import concurrent.futures
import contextlib
import re

import grpc
import pytest
from harness.clients import GrpcClient, RestClient, assert_rest_error, refused
from harness.faults import well_by_its_word
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import answer_y, grpc_node, held_grpc_node
from harness.held_nodes import BODY, PREDICT, held_node, in_background, one_post
from harness.policies import counting_node, follow, pool
from harness.sockets import connections_to
from harness.stalled_listeners import ONE_CHECK, stalled_listener
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

ONE = {"x": tensor("float", [1.0])}


def limited(*nodes, **breakers):
    """A policy of one pool with limits."""
    return {"pools": [pool("main", *nodes, balancing="round_robin", breakers=breakers)]}


def reached(gateway, limit):
    """How often a limit was the reason of a refusal."""
    return gateway.admin.metrics().total(
        "martlet_gateway_limit_reached_total", pool="main", limit=limit
    )


def test_one_request_too_many_is_refused_at_once(martlet):
    with held_node() as (node, held, release):
        gateway = follow(martlet, limited(node, requests_max=2))
        join = in_background(*[lambda: one_post(gateway)] * 2)
        for _ in range(2):
            assert held.acquire(timeout=60)
        refusal = one_post(gateway)
        assert_rest_error(refusal, 503, re.compile("breakers.requests_max"))
        assert int(refusal.headers["Retry-After"]) >= 1
        assert reached(gateway, "requests") == 1
        release.set()
        assert [answer.status_code for answer in join()] == [200, 200]
        assert one_post(gateway).status_code == 200
        assert len(node.requests) == 3


def test_one_grpc_call_too_many_is_refused_at_once(martlet):
    with held_grpc_node() as node:
        policy = limited(node, requests_max=2)
        policy["pools"][0]["health"] = GRPC_CHECKS
        gateway = follow(martlet, policy)
        join = in_background(*[lambda: gateway.grpc.predict("m", ONE)] * 2)
        for _ in range(2):
            assert node.held.acquire(timeout=60)
        with refused(grpc.StatusCode.UNAVAILABLE, re.compile("breakers.requests_max")):
            gateway.grpc.predict("m", ONE)
        assert reached(gateway, "requests") == 1
        node.release()
        assert None not in join()
        gateway.grpc.predict("m", ONE)


def test_limit_is_that_of_each_node(martlet):
    with held_node() as (one, _, release), held_node() as (two, _, also_release):
        gateway = follow(martlet, limited(one, two, requests_max=1))
        join = in_background(*[lambda: one_post(gateway)] * 2)
        for node in (one, two):
            await_until(lambda node=node: node.requests, "a request at each")
        assert one_post(gateway).status_code == 503
        release.set()
        also_release.set()
        assert [answer.status_code for answer in join()] == [200, 200]


def test_clients_that_leave_give_their_places_back(martlet):
    with held_grpc_node() as node:
        policy = limited(node, requests_max=1)
        policy["pools"][0]["health"] = GRPC_CHECKS
        gateway = follow(martlet, policy)
        with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
            gateway.grpc.predict("m", ONE, timeout=2)
        assert node.cancelled.acquire(timeout=60)
        node.release()
        await_until(
            lambda: gateway.endpoints()[node.address]["in_flight"] == 0, "the place to be free"
        )
        gateway.grpc.predict("m", ONE)


@pytest.mark.parametrize("most", [1, 3])
def test_connections_stay_within_their_limit(martlet, most):
    count = 8
    with held_node() as (node, held, release):
        gateway = follow(martlet, limited(node, connections_max=most))
        with concurrent.futures.ThreadPoolExecutor(count) as clients:
            calls = [clients.submit(one_post, gateway) for _ in range(count)]
            for _ in range(most):
                assert held.acquire(timeout=60)
            # Those beyond do not wait for the others.
            await_until(lambda: sum(call.done() for call in calls) == count - most, "refusals")
            release.set()
            statuses = [call.result().status_code for call in calls]
        assert sorted(statuses) == [200] * most + [503] * (count - most)
        assert node.connections_most == most


def test_idle_connections_make_room_for_those_of_other_clients(martlet):
    with counting_node() as node:
        policy = limited(node, connections_max=1)
        # A thread that is to hand its connection over may be busy, and is waited for so long.
        policy["pools"][0] |= {"health": ONE_CHECK, "connect_timeout_seconds": 60}
        gateway = follow(martlet, policy)
        await_until(lambda: connections_to(node.server_port) == 0, "the check to be over")
        statuses = []
        for _ in range(20):
            # Each on a connection of its own, which any of the gateway's threads may take.
            statuses.append(one_post(gateway).status_code)
            # The node may see later than the kernel that one is closed.
            assert connections_to(node.server_port) <= 1
        assert statuses == [200] * 20


def test_grpc_connections_stay_within_their_limit(martlet):
    with grpc_node(answer_y(1.0)) as node, contextlib.ExitStack() as clients:
        policy = limited(node, connections_max=1)
        # No other check than the first.
        policy["pools"][0]["health"] = GRPC_CHECKS | {"interval_seconds": 3600}
        policy["pools"][0]["connect_timeout_seconds"] = 60
        gateway = follow(martlet, policy)
        await_until(lambda: connections_to(node.port) == 0, "the check to be over")
        # Of several event loops, which hand the one connection to each other.
        for _ in range(12):
            client = clients.enter_context(contextlib.closing(GrpcClient(gateway.address)))
            client.predict("m", ONE)
            assert connections_to(node.port) <= 1


def test_requests_that_wait_for_a_connection_stay_within_their_limit(martlet):
    with stalled_listener() as node:
        policy = limited(node, pending_requests_max=1)
        policy["pools"][0] |= {"health": ONE_CHECK, "connect_timeout_seconds": 6}
        policy["routes"] = [{"name": "r", "retries": {"attempts_max": 1}}]
        gateway = follow(martlet, policy)
        node.fill()
        join = in_background(lambda: one_post(gateway))
        await_until(
            lambda: gateway.endpoints()[node.address]["in_flight"] == 1, "a request that waits"
        )
        assert one_post(gateway).status_code == 503
        # The first one waits still.
        assert gateway.endpoints()[node.address]["in_flight"] == 1
        assert_rest_error(join()[0], 503, re.compile("cannot be reached"))


def closing_node():
    def answer(handler, _):
        handler.close_connection = True
        handler.connection.close()

    return stand_in(answer, well_by_its_word())


@pytest.mark.parametrize(("most", "statuses"), [(0, {200, 503}), (1, {200})])
def test_retries_stay_within_their_limit(martlet, most, statuses):
    with closing_node() as closing, counting_node() as good:
        policy = limited(closing, good, retries_max=most)
        policy["pools"][0]["outliers"] = {"consecutive_failures": 0}
        gateway = follow(martlet, policy)
        with contextlib.closing(RestClient(gateway.address)) as client:
            got = [client.post(PREDICT, BODY).status_code for _ in range(8)]
        assert set(got) == statuses
        assert reached(gateway, "retries") == got.count(503)


def test_limits_of_a_pool_are_no_other_pool_s(martlet):
    with held_node() as (full, held, release), counting_node() as free:
        pools = [
            pool("main", full, breakers={"requests_max": 1}),
            pool("other", free, breakers={"requests_max": 1}),
        ]
        routes = [
            {"name": "other", "match": {"models": ["other"]}, "pool": "other"},
            {"name": "rest", "pool": "main"},
        ]
        gateway = follow(martlet, {"pools": pools, "routes": routes})
        join = in_background(lambda: one_post(gateway))
        assert held.acquire(timeout=60)
        assert one_post(gateway).status_code == 503
        assert one_post(gateway, "/v1/models/other:predict").status_code == 200
        release.set()
        assert join()[0].status_code == 200
