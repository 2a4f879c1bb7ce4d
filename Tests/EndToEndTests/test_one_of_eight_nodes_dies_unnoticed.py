"""One of eight nodes dies under load: no idempotent request fails, and retries stay in budget."""

import contextlib
import json
import time

import pytest
from harness.faults import well_by_its_word
from harness.open_loop import OpenLoop
from harness.policies import follow, pool
from harness.stand_ins import stand_in
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(90)

NODES = 8
RATE = 200.0
# The default of routes: this part of the requests of ten seconds, or ten where that is more.
BUDGET_SHARE = 0.2
BUDGET_MIN = 10
# So long takes an answer, so that some are under way at whatever dies.
ANSWER_SECONDS = 0.03


def halving(handler, body):
    """Answers as the model half_plus_two does."""
    time.sleep(ANSWER_SECONDS)
    (number,) = json.loads(body)["instances"]
    with contextlib.suppress(OSError):
        handler.send(200, json.dumps({"predictions": [number / 2 + 2]}).encode("ascii"))


@pytest.fixture
def nodes():
    with contextlib.ExitStack() as scope:
        yield [scope.enter_context(stand_in(halving, well_by_its_word())) for _ in range(NODES)]


def retries(gateway):
    """How often something was tried again, by the reasons that there were."""
    counted = gateway.admin.metrics().by("martlet_gateway_retries_total", "reason")
    return {reason: count for reason, count in counted.items() if count}


@pytest.mark.parametrize(
    "balancing", ["dynamic_weighted_round_robin", "round_robin", "least_request"]
)
def test_death_of_one_of_eight_fails_no_request_within_the_budget(martlet, nodes, balancing):
    gateway = follow(martlet, {"pools": [pool("main", *nodes, balancing=balancing)]})
    dying = nodes[NODES // 2]
    with OpenLoop(gateway.address, rate=RATE) as load:
        assert retries(gateway) == {}
        asked = len(dying.requests)
        assert asked > 0
        # Not between two requests: one is under way there.
        await_until(lambda: len(dying.requests) > asked, "a request at the node that is to die")
        dying.die()
        before = len(load.requests)
        await_until(
            lambda: not gateway.endpoints()[dying.address]["healthy"], "the node to be out of use"
        )
        load.await_more(int(RATE * 2))
    load.assert_perfect()
    spent = retries(gateway)
    # That anything was tried again shows that something was lost.
    assert 0 < sum(spent.values()) <= max(BUDGET_MIN, BUDGET_SHARE * len(load.requests)), spent
    # Only what died has cost anything, and only until it was known.
    assert sum(spent.values()) <= len(load.requests) - before
    others = [len(node.requests) for node in nodes if node is not dying]
    assert min(others) > 0
    answered = gateway.admin.metrics().total("martlet_gateway_requests_total")
    assert answered >= len(load.requests)
    gateway.assert_running()


def test_death_of_one_of_eight_leaves_what_must_not_run_twice_to_fail(martlet, nodes):
    """The figure is of idempotent requests: others that had begun are not sent again."""
    gateway = follow(martlet, {"pools": [pool("main", *nodes, balancing="round_robin")]})
    path = "/v1/responses"
    bodies = [json.dumps({"model": "m", "instances": [number]}) for number in range(200)]
    statuses = []
    for number, body in enumerate(bodies):
        if number == len(bodies) // 2:
            nodes[0].die()
        statuses.append(gateway.rest.post(path, body).status_code)
    posted = [body for node in nodes for asked, _, body in node.requests if asked == path]
    # None came twice, and each that was answered came.
    assert len(posted) == len(set(posted)) >= statuses.count(200)
    assert statuses.count(200) >= len(bodies) - 2
