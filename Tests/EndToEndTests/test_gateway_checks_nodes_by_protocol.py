"""Health checks by TCP and by gRPC, and what checks by HTTP ask for."""

import re

import grpc
import pytest
from harness.clients import refused
from harness.faults import well_by_its_word
from harness.grpc_nodes import answer_y, grpc_node, y_of
from harness.held_nodes import BODY, PREDICT
from harness.policies import counting_node, follow, pool
from harness.serving_api import health_pb2
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

ONE = {"x": tensor("float", [1.0])}
TCP = {"protocol": "tcp", "interval_seconds": 0.2}
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.UNKNOWN


def well(handler, _):
    handler.send(200, b'{"by": "the node"}')


class Pages(dict):
    """Pages of a node, and which of them were asked for."""

    def __init__(self, pages):
        super().__init__(pages)
        self.asked = []

    def get(self, path, default=None):
        self.asked.append(path)
        return super().get(path, default)


def checked(node, **health):
    health = {"interval_seconds": 0.2, **health}
    return {"pools": [pool("main", node, health=health)]}


# TCP


def test_node_without_pages_for_health_is_checked_by_tcp(martlet):
    pages = Pages({"/other": b""})
    with stand_in(well, pages) as node:
        gateway = follow(martlet, checked(node, protocol="tcp"))
        assert gateway.rest.post(PREDICT, BODY).json() == {"by": "the node"}
        assert pages.asked == []
        node.die()
        gateway.await_health(node, healthy=False)


def test_node_is_not_well_by_http_that_is_by_tcp(martlet):
    pages = Pages({"/other": b""})
    with stand_in(well, pages) as node:
        gateway = martlet.gateway([node], "--health-check-interval-seconds", 0.2, ready="live")
        await_until(lambda: pages.asked.count("/healthz/ready") >= 3, "three checks")
        assert not gateway.endpoints()[node.address]["healthy"]


# gRPC


@pytest.mark.parametrize("service", [None, "predictor"])
def test_nodes_come_and_go_by_what_their_grpc_health_says(martlet, service):
    health = {"protocol": "grpc", "interval_seconds": 0.2, "unhealthy_after": 1}
    if service:
        health["grpc_service"] = service
    with grpc_node(answer_y(1.0)) as one, grpc_node(answer_y(2.0)) as two:
        for node in (one, two):
            node.health.set(service or "", SERVING)
        gateway = follow(
            martlet, {"pools": [pool("main", one, two, health=health, balancing="round_robin")]}
        )
        assert values(gateway) == {1.0, 2.0}
        for status in (NOT_SERVING, UNKNOWN):
            one.health.set(service or "", status)
            gateway.await_health(one, healthy=False)
            assert values(gateway) == {2.0}
            one.health.set(service or "", SERVING)
            gateway.await_health(one, healthy=True)
            assert values(gateway) == {1.0, 2.0}


def values(gateway, count=20):
    return {y_of(gateway.grpc.predict("m", ONE))[0] for _ in range(count)}


def test_grpc_health_of_another_service_says_nothing(martlet):
    health = {"protocol": "grpc", "grpc_service": "predictor", "interval_seconds": 0.2}
    with grpc_node(answer_y(1.0)) as one, grpc_node(answer_y(2.0)) as two:
        for node in (one, two):
            node.health.set("", SERVING)
            node.health.set("predictor", SERVING)
        gateway = follow(martlet, {"pools": [pool("main", one, two, health=health)]})
        one.health.set("", NOT_SERVING)
        two.health.set("predictor", NOT_SERVING)
        gateway.await_health(two, healthy=False)
        assert gateway.endpoints()[one.address]["healthy"]
        assert values(gateway) == {1.0}


def test_server_without_the_service_is_not_well(martlet):
    health = {"protocol": "grpc", "grpc_service": "none", "interval_seconds": 0.2}
    with grpc_node(answer_y(1.0)) as lacking, grpc_node(answer_y(2.0)) as node:
        node.health.set("none", SERVING)
        policy = {"pools": [pool("main", node, health=health)]}
        gateway = follow(martlet, policy)
        policy["pools"][0]["endpoints"].append(lacking.address)
        gateway.policy.write(policy)
        gateway.admin.post("/v1/policy:reload", "").raise_for_status()
        assert values(gateway) == {2.0}
        assert not gateway.endpoints()[lacking.address]["healthy"]


def test_node_of_ours_is_checked_by_grpc(martlet):
    node = martlet.serve()
    gateway = follow(martlet, checked(node, protocol="grpc"))
    assert gateway.rest.post(PREDICT, BODY).json() == {"predictions": [2.5]}
    assert y_of(gateway.grpc.predict("half_plus_two", ONE)) == [2.5]
    node.kill()
    gateway.await_health(node, healthy=False)
    with refused(grpc.StatusCode.UNAVAILABLE, re.compile(".")):
        gateway.grpc.predict("half_plus_two", ONE)


# HTTP


def test_checks_ask_for_the_path_that_they_are_told(martlet):
    pages = Pages({"/well": b"yes", **{"/v1/models": well_by_its_word()["/v1/models"]}})
    with stand_in(well, pages) as node:
        gateway = follow(martlet, checked(node, path="/well"))
        assert gateway.rest.post(PREDICT, BODY).status_code == 200
    assert set(pages.asked) == {"/well", "/v1/models"}


def test_checks_leave_models_alone_where_they_are_told(martlet):
    pages = Pages(well_by_its_word())
    with stand_in(well, pages) as node:
        gateway = follow(martlet, checked(node, models=False))
        await_until(lambda: len(pages.asked) >= 3, "three checks")
        assert gateway.endpoints()[node.address]["models"] == []
    assert set(pages.asked) == {"/healthz/ready"}


def test_node_is_out_after_as_many_failures_as_told(martlet):
    with counting_node() as one, counting_node() as two:
        health = {"interval_seconds": 0.2, "unhealthy_after": 4, "healthy_after": 2}
        gateway = follow(martlet, {"pools": [pool("main", one, two, health=health)]})
        one.pages = {}
        gateway.await_health(one, healthy=False)
        log = [line for line in gateway.log_lines() if "endpoint is unhealthy" in line]
        assert len(log) == 1
        assert "4 health checks failed" in log[0]
        one.pages = well_by_its_word()
        gateway.await_health(one, healthy=True)
