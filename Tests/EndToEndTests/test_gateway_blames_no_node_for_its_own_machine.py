"""A gateway whose own machine lets it open no connection does not take its nodes for dead."""

import contextlib
import resource

import grpc
import pytest
from harness.clients import SECONDS
from harness.held_nodes import BODY, PREDICT
from harness.policies import counting_node
from harness.tensors import tensor
from harness.waiting import await_until


@contextlib.contextmanager
def no_more_files(process):
    """Lets a process open no files nor sockets meanwhile; those that it has it keeps."""
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def faults(gateway):
    """How many connections the gateway's machine did not let it open."""
    return gateway.admin.metrics().total("martlet_gateway_local_faults_total")


def test_gateway_without_files_keeps_its_nodes_and_names_the_remedy(martlet):
    with counting_node() as first, counting_node() as second:
        gateway = martlet.gateway([first, second], "--health-check-interval-seconds", 0.2)
        gateway.await_all_healthy([first, second])
        # Connections of clients that are there before.
        assert gateway.rest.get("/metrics").status_code == 404
        grpc.channel_ready_future(gateway.grpc.channel).result(SECONDS)
        with no_more_files(gateway):
            with pytest.raises(grpc.RpcError, match="raise the limit of open files"):
                gateway.grpc.predict("half_plus_two", {"x": tensor("float", [1.0])})
            answer = gateway.rest.post(PREDICT, BODY)
            assert answer.status_code == 503
            assert "raise the limit of open files" in answer.json()["error"]
            asked = faults(gateway)
            await_until(lambda: faults(gateway) >= asked + 10, "five checks of both nodes to fail")
            assert all(endpoint["healthy"] for endpoint in gateway.endpoints().values())
            assert not any(endpoint["ejected"] for endpoint in gateway.endpoints().values())
        assert gateway.rest.post(PREDICT, BODY).status_code == 200
        assert "raise the limit of open files" in gateway.log_since_mark()
