"""How long the gateway tries to connect to nodes, and how long it keeps what it does not use."""

import re

from harness.clients import assert_rest_error
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import answer_y, grpc_node
from harness.held_nodes import BODY, PREDICT
from harness.policies import change, counting_node, follow, pool
from harness.sockets import connections_to
from harness.stalled_listeners import ONE_CHECK, stalled_listener
from harness.tensors import tensor
from harness.waiting import await_until

ONE = {"x": tensor("float", [1.0])}


def test_node_that_cannot_be_connected_to_is_given_up_in_the_pool_s_time(martlet):
    with stalled_listener() as stalled, counting_node() as good:
        settings = {"balancing": "round_robin", "connect_timeout_seconds": 0.2}
        policy = {"pools": [pool("main", stalled, good, health=ONE_CHECK, **settings)]}
        # Whose time is far beyond that of a test.
        gateway = follow(martlet, policy, "--connect-timeout-seconds", 60)
        stalled.fill()
        for _ in range(4):
            answer = gateway.rest.post(PREDICT, BODY, timeout=60)
            assert (answer.status_code, answer.json()["port"]) == (200, good.server_port)
        retries = gateway.admin.metrics().by("martlet_gateway_retries_total", "reason")
        assert retries["connect_failed"] == 1
        # That tells of the node.
        assert not gateway.endpoints()[stalled.address]["healthy"]


def test_client_is_told_when_the_only_node_cannot_be_connected_to(martlet):
    with stalled_listener() as stalled:
        policy = {"pools": [pool("main", stalled, health=ONE_CHECK, connect_timeout_seconds=0.2)]}
        gateway = follow(martlet, policy, "--connect-timeout-seconds", 60)
        stalled.fill()
        answer = gateway.rest.post(PREDICT, BODY, timeout=60)
        assert_rest_error(answer, 503, re.compile("cannot be reached"))


def test_unused_connections_are_closed_in_the_pool_s_time(martlet):
    with counting_node() as node:
        gateway = follow(martlet, {"pools": [pool("main", node, idle_timeout_seconds=1)]})
        for _ in range(5):
            assert gateway.rest.post(PREDICT, BODY).status_code == 200
        # They are used again until then.
        assert node.connections_most == 1
        await_until(lambda: not node.connections, "the connection to be closed", 5)
        assert gateway.rest.post(PREDICT, BODY).status_code == 200


def test_unused_connections_are_kept_meanwhile(martlet):
    with counting_node() as one, counting_node() as two:
        pools = [
            pool("short", one, idle_timeout_seconds=1),
            pool("long", two, idle_timeout_seconds=60),
        ]
        routes = [
            {"name": "short", "match": {"models": ["short"]}, "pool": "short"},
            {"name": "long", "pool": "long"},
        ]
        gateway = follow(martlet, {"pools": pools, "routes": routes})
        for model in ("long", "short"):
            assert gateway.rest.post(f"/v1/models/{model}:predict", BODY).status_code == 200
        await_until(lambda: not one.connections, "the connection to be closed", 5)
        assert len(two.connections) == 1


def test_changed_times_count_for_connections_that_are_there(martlet):
    with counting_node() as node:
        gateway = follow(martlet, {"pools": [pool("main", node, idle_timeout_seconds=8)]})
        assert gateway.rest.post(PREDICT, BODY).status_code == 200
        change(gateway, {"pools": [pool("main", node, idle_timeout_seconds=1)]})
        # Those that are too old are looked for every quarter of the time that was.
        await_until(lambda: not node.connections, "the connection to be closed", 6)


def test_unused_grpc_connections_are_closed_in_the_pool_s_time(martlet):
    with grpc_node(answer_y(1.0)) as node:
        health = {**GRPC_CHECKS, "interval_seconds": 3600}
        pools = [pool("main", node, idle_timeout_seconds=1, health=health)]
        gateway = follow(martlet, {"pools": pools})
        for _ in range(3):
            gateway.grpc.predict("m", ONE)
        assert connections_to(node.port) == 1
        await_until(lambda: connections_to(node.port) == 0, "the connection to be closed", 6)
        gateway.grpc.predict("m", ONE)
