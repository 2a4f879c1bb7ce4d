"""Nodes that stop while requests by HTTP/2 are under way there; no check asks them meanwhile."""

import threading

from harness.faults import paused
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import answer_y, grpc_node, y_of
from harness.policies import follow, pool
from harness.tensors import tensor

ONE = {"x": tensor("float", [1.0])}


def test_calls_at_a_stopped_node_are_answered_by_another(martlet):
    nodes = [martlet.serve(), martlet.serve()]
    settings = {
        "health": {"interval_seconds": 600, "timeout_seconds": 20},
        "balancing": "round_robin",
        "ping_seconds": 0.5,
        "ping_timeout_seconds": 2,
    }
    gateway = follow(martlet, {"pools": [pool("main", *nodes, **settings)]})
    for _ in range(4):
        gateway.grpc.predict("half_plus_two", ONE)
    with paused(nodes[0]):
        for _ in range(4):
            answer = gateway.grpc.predict("half_plus_two", ONE, timeout=60)
            assert y_of(answer) == [2.5]
    retries = gateway.admin.metrics().by("martlet_gateway_retries_total", "reason")
    assert retries["connection_closed"] >= 1


def test_long_call_at_a_node_that_is_there_is_let_be(martlet):
    # Such servers end connections that are pinged too often.
    long_enough = threading.Event()
    answer_well = answer_y(1.0)

    def answer(*call):
        long_enough.wait(6)
        return answer_well(*call)

    with grpc_node(answer) as node:
        settings = {
            "health": {**GRPC_CHECKS, "interval_seconds": 600},
            "ping_seconds": 0.05,
            "ping_timeout_seconds": 20,
        }
        gateway = follow(martlet, {"pools": [pool("main", node, **settings)]})
        assert y_of(gateway.grpc.predict("m", ONE, timeout=60)) == [1.0]
        assert len(node.methods) == 1
