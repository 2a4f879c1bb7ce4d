"""Adaptive concurrency: nodes get what they can bear, and what matters least is refused first."""

import collections
import contextlib
import json
import re
import threading
import time

import grpc
import pytest
from harness.clients import RestClient, assert_rest_error, predict_request, refused
from harness.faults import well_by_its_word
from harness.grpc_nodes import CHECKS as GRPC_CHECKS
from harness.grpc_nodes import held_grpc_node
from harness.held_nodes import BODY, PREDICT, held_node, in_background, one_post
from harness.policies import follow, pool
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

ONE = {"x": tensor("float", [1.0])}
ALL = "martlet_gateway_shed_total"

# Neither grows nor shrinks.
TEN = {"requests_min": 10, "requests_max": 10}

# Requests under way, of all priorities, beyond which those of each are refused, of ten.
BOUNDS = {"low": 7, "normal": 8, "high": 9, "critical": 10}


def routed(*nodes, concurrency=TEN, **settings):
    """A policy whose routes give each model a priority of its name."""
    routes = [{"name": name, "match": {"models": [name]}, "priority": name} for name in BOUNDS] + [
        {"name": "rest"}
    ]
    pools = [pool("main", *nodes, adaptive_concurrency=concurrency, **settings)]
    return {"pools": pools, "routes": routes}


def path(priority):
    return f"/v1/models/{priority}:predict"


def shed(gateway):
    return gateway.admin.metrics().by(ALL, "priority")


def test_what_matters_least_is_refused_first(martlet):
    with held_node() as (node, held, release):
        gateway = follow(martlet, routed(node))
        joins = []
        for count in range(10):
            # Those whose bound is reached are refused at once; the others are still let in.
            for priority, bound in BOUNDS.items():
                if bound <= count:
                    refusal = one_post(gateway, path(priority))
                    assert_rest_error(refusal, 429, re.compile(f"priority '{priority}'"))
                    assert int(refusal.headers["Retry-After"]) >= 1
            let_in = next(name for name, bound in BOUNDS.items() if bound > count)
            joins.append(in_background(lambda name=let_in: one_post(gateway, path(name))))
            assert held.acquire(timeout=60)
        assert one_post(gateway, path("critical")).status_code == 429
        # With 7, 8 and 9 under way low ones were refused, with 8 and 9 normal ones, and so on.
        assert shed(gateway) == {"low": 3, "normal": 2, "high": 1, "critical": 1}
        assert len(node.requests) == 10
        release.set()
        assert {answer.status_code for join in joins for answer in join()} == {200}
        assert one_post(gateway, path("low")).status_code == 200


def test_requests_are_normal_unless_their_route_says_otherwise(martlet):
    with held_node() as (node, held, release):
        gateway = follow(martlet, routed(node))
        join = in_background(*[lambda: one_post(gateway)] * 8)
        for _ in range(8):
            assert held.acquire(timeout=60)
        assert one_post(gateway).status_code == 429
        assert shed(gateway) == {"normal": 1}
        release.set()
        assert {answer.status_code for answer in join()} == {200}


def test_what_matters_least_is_refused_first_of_grpc_calls(martlet):
    with held_grpc_node() as node:
        gateway = follow(martlet, routed(node, health=GRPC_CHECKS))
        join = in_background(*[lambda: gateway.grpc.predict("low", ONE)] * 7)
        for _ in range(7):
            assert node.held.acquire(timeout=60)
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, re.compile("priority 'low'")):
            gateway.grpc.predict("low", ONE)
        join_high = in_background(lambda: gateway.grpc.predict("high", ONE))
        assert node.held.acquire(timeout=60), "what matters more is not let in"
        assert shed(gateway) == {"low": 1}
        node.release()
        assert None not in join() + join_high()


def test_clients_that_leave_give_their_places_back(martlet):
    with held_grpc_node() as node:
        gateway = follow(martlet, routed(node, health=GRPC_CHECKS))
        calls = [
            gateway.grpc.prediction.Predict.future(predict_request("low", ONE), timeout=200)
            for _ in range(7)
        ]
        for _ in range(7):
            assert node.held.acquire(timeout=60)
        for call in calls:
            call.cancel()
        for _ in range(7):
            assert node.cancelled.acquire(timeout=60)
        node.release()
        for _ in range(7):
            gateway.grpc.predict("low", ONE)


@pytest.fixture
def secret(martlet, tmp_path):
    """A key, and the file of credentials that is for it."""
    made = martlet.run("key", "new", "--id", "alice", "--tenant", "a")
    assert made.returncode == 0, made.stderr
    file = tmp_path / "credentials.yaml"
    scope = "    scope:\n      priority_highest: critical\n"
    file.write_text("keys:\n" + made.stdout.rstrip() + "\n" + scope, encoding="utf-8")
    return made.stderr.splitlines()[-1].strip(), file


def test_requests_with_a_credential_say_themselves_how_much_they_matter(martlet, secret):
    key, file = secret
    with held_node() as (node, held, release):
        policy = {**routed(node), "access": {"api_keys_file": str(file)}}
        gateway = follow(martlet, policy)

        def ask(priority):
            fields = {"X-API-Key": key, "x-martlet-priority": priority}
            return one_post(gateway, PREDICT, headers=fields, timeout=60)

        joins = []
        for count in range(10):
            for priority, bound in BOUNDS.items():
                if bound <= count:
                    assert ask(priority).status_code == 429, priority
            let_in = next(name for name, bound in BOUNDS.items() if bound > count)
            joins.append(in_background(lambda name=let_in: ask(name)))
            assert held.acquire(timeout=60)
        assert shed(gateway) == {"low": 3, "normal": 2, "high": 1}
        release.set()
        assert {answer.status_code for join in joins for answer in join()} == {200}


class Workers:
    """Clients that ask again and again, and how often they were answered how, by priority."""

    def __init__(self, gateway, **counts):
        self.gateway = gateway
        self.answers = collections.defaultdict(collections.Counter)
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(priority,), daemon=True)
            for priority, count in counts.items()
            for _ in range(count)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "a request never ended"

    def run(self, priority):
        with contextlib.closing(RestClient(self.gateway.address)) as client:
            while not self.stopping.is_set():
                status = client.post(path(priority), BODY).status_code
                self.answers[priority][status] += 1
                # Whoever is refused comes again soon, though not at once.
                if status != 200:
                    self.stopping.wait(0.02)


def test_overloaded_node_gets_what_it_can_bear(martlet):
    seats = threading.Semaphore(2)

    def answer(handler, _):
        # Two at a time, each for a while, as long as there are others waiting.
        with seats:
            time.sleep(0.02)
        handler.send(200, json.dumps({}).encode())

    with stand_in(answer, well_by_its_word()) as node:
        adaptive = {"requests_min": 2, "requests_max": 24}
        gateway = follow(martlet, routed(node, concurrency=adaptive))

        def limit():
            samples = gateway.admin.metrics()
            return samples.total("martlet_gateway_concurrency_limit", pool="main")

        assert limit() == 24
        with Workers(gateway, low=24, critical=1) as workers:
            await_until(lambda: limit() < 20, "the limit to fall", 8)
            await_until(lambda: workers.answers["critical"][200] >= 20, "what matters most", 8)
        assert shed(gateway)["low"] > 0
        critical = workers.answers["critical"]
        assert critical[429] <= critical[200] / 4, workers.answers
        assert set(workers.answers["low"]) <= {200, 429}
        assert workers.answers["low"][200] > 0
        shown = gateway.admin.get("/v1/policy").json()["pools"][0]
        assert 2 <= shown["concurrency_limit"] <= 24
