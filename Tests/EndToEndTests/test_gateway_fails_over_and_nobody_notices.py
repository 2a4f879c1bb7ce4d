"""A node of three dies, hangs, is cut off, full, broken or restarted, and no client notices.

500 predictions a second, each for a number of its own, come whether answers have come or not. Each
must be answered, once, by what is its. How fast is for Benchmarks/failover.py to say.
"""

import pytest
from harness import faults
from harness.faults import Filler, Trio
from harness.networks import network, why_none
from harness.open_loop import OpenLoop

# For a machine that is busy besides.
SLACK_SECONDS = 5.0
OUT_OF_USE_SECONDS = faults.PROBE_SECONDS + SLACK_SECONDS

pytestmark = pytest.mark.deadline(90)


@pytest.fixture
def far():
    """A network that can be cut off, made before all that runs in it."""
    reason = why_none()
    if reason:
        pytest.skip(reason)
    with network() as made:
        yield made


def test_killed_node_costs_no_request_under_load(martlet):
    trio = Trio(martlet, [martlet.serve() for _ in range(3)])
    killed = trio.nodes[0]
    with OpenLoop(trio.gateway.address) as load:
        killed.kill()
        trio.await_out_of_use(killed, OUT_OF_USE_SECONDS)
        load.await_more()
        trio.await_back(martlet.serve(port=killed.port))
        load.await_more()
    load.assert_perfect()
    trio.assert_counted(load)


def test_paused_node_costs_no_request_and_comes_back(martlet):
    trio = Trio(martlet, [martlet.serve() for _ in range(3)])
    paused = trio.nodes[0]
    with OpenLoop(trio.gateway.address) as load:
        with faults.paused(paused):
            trio.await_out_of_use(paused, OUT_OF_USE_SECONDS)
            load.await_more()
            # What it was asked before is answered by others, not by it once it goes on.
            load.await_ends()
        trio.await_back(paused)
        load.await_more()
    load.assert_perfect()
    trio.assert_counted(load)


def test_node_that_is_cut_off_costs_no_request_and_comes_back(far, martlet):
    distant = martlet.serve(host=far.host, prefix=far.prefix)
    trio = Trio(martlet, [distant, martlet.serve(), martlet.serve()])
    with OpenLoop(trio.gateway.address) as load:
        with faults.cut(far):
            trio.await_out_of_use(distant, OUT_OF_USE_SECONDS)
            load.await_more()
            load.await_ends()
        trio.await_back(distant)
        load.await_more()
    load.assert_perfect()
    trio.assert_counted(load)


def test_node_whose_queue_is_full_costs_no_request(martlet):
    full = faults.node_with_short_queue(martlet)
    trio = Trio(martlet, [full, martlet.serve(), martlet.serve()])
    with OpenLoop(trio.gateway.address) as load:
        with Filler(full) as filler:
            before = filler.refusals
            load.await_more(1500)
            assert filler.refusals > before, "the queue was not full"
        load.await_ends()
        trio.await_back(full)
        load.await_more()
    load.assert_perfect()
    trio.assert_counted(load)


@pytest.mark.parametrize("status", [500, 503])
def test_node_that_fails_at_once_attracts_no_load_and_costs_no_request(martlet, status):
    with faults.failing_node(status) as failing:
        trio = Trio(martlet, [failing, martlet.serve(), martlet.serve()])
        with OpenLoop(trio.gateway.address) as load:
            trio.await_out_of_use(failing, OUT_OF_USE_SECONDS)
            load.await_more(1500)
        # A third is what a node that is well would get.
        assert len(failing.requests) < len(load.requests) / 10
        load.assert_perfect()
        trio.assert_counted(load)


def test_node_that_answers_checks_and_no_request_costs_no_request(martlet):
    with faults.silent_node() as silent:
        trio = Trio(martlet, [silent, martlet.serve(), martlet.serve()])
        with OpenLoop(trio.gateway.address) as load:
            trio.await_out_of_use(silent, OUT_OF_USE_SECONDS)
            load.await_more()
            load.await_ends()
        load.assert_perfect()
        trio.assert_counted(load)


def test_rolling_restart_costs_no_request(martlet):
    trio = Trio(martlet, [martlet.serve() for _ in range(3)])
    with OpenLoop(trio.gateway.address) as load:
        for node in trio.nodes:
            node.stop()
            trio.await_back(martlet.serve(port=node.port))
            load.await_more()
    load.assert_perfect()
    trio.assert_counted(load)
