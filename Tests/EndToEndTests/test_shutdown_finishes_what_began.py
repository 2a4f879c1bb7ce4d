"""SIGTERM: what began is finished, nothing new begins, and there is a limit."""

import concurrent.futures
import contextlib
import signal

import pytest
from harness import http1
from harness.clients import GrpcClient, RestClient
from harness.tensors import array_of, tensor

pytestmark = pytest.mark.deadline(60)


def rest_request(address, steps):
    client = RestClient(address)
    with contextlib.closing(client):
        response = client.predict("matrix", {"inputs": steps}, timeout=60)
        assert response.status_code == 200, response.text
        return response.json()["outputs"]["done"]


def grpc_request(address, steps):
    client = GrpcClient(address)
    with contextlib.closing(client):
        answer = client.predict("matrix", {"steps": tensor("int32", steps)}, timeout=60)
        return int(array_of(answer.outputs["done"]))


@pytest.mark.parametrize("through", ["node", "gateway"])
def test_requests_in_flight_are_finished_and_new_connections_refused(
    martlet, steps_lasting, through
):
    node = martlet.serve(("matrix", "half_plus_two"))
    server = martlet.gateway([node]) if through == "gateway" else node
    steps = steps_lasting(1.5)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        requests = [
            pool.submit(request, server.address, steps)
            for request in (rest_request, rest_request, grpc_request, grpc_request)
        ]
        node.await_in_flight(4)
        server.send(signal.SIGTERM)
        http1.await_refusal(server.address)
        assert [request.result(40) for request in requests] == [steps] * 4
    assert server.wait() == 0


def test_request_stuck_beyond_the_drain_limit_does_not_hold_the_exit(martlet, steps_lasting):
    node = martlet.serve(("matrix",), "--drain-seconds", 1)
    client = GrpcClient(node.address)
    with contextlib.closing(client):
        request = {"steps": tensor("int32", steps_lasting(25))}
        pool = concurrent.futures.ThreadPoolExecutor(1)
        stuck = pool.submit(client.predict, "matrix", request, timeout=60)
        node.await_in_flight(1)
        node.send(signal.SIGTERM)
        assert node.wait(15) == 1
        assert stuck.exception(10) is not None
        pool.shutdown()


def test_idle_connections_do_not_hold_the_exit(martlet):
    node = martlet.serve()
    node.assert_unharmed()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            idle = stack.enter_context(http1.RawConnection(node.address))
            idle.send(http1.post("/v1/models/half_plus_two:predict", b'{"instances": [1.0]}'))
            assert idle.read_response().status == 200
        node.send(signal.SIGTERM)
        assert node.wait(15) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_node_exits_0_when_told_to_stop(martlet, number):
    martlet.serve().stop(number)


def test_overload_is_refused_and_passes(martlet, steps_lasting):
    node = martlet.serve(("matrix", "half_plus_two"), "--engine-threads", 1, "--queue-capacity", 2)
    steps = steps_lasting(0.5)

    def status(_):
        with contextlib.closing(RestClient(node.address)) as client:
            return client.predict("matrix", {"inputs": steps}, timeout=60).status_code

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(status, range(12)))
    assert codes.count(200) >= 1
    assert set(codes) - {200} <= {429, 503}
    assert len(set(codes)) > 1, "nothing was refused"
    node.assert_unharmed()
