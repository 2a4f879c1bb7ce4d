"""kill -9 in the middle of a load, and a start in the same place: nothing stale is in the way."""

import contextlib
import json

import grpc
import pytest
import requests
from harness import model_server, models
from harness.clients import GrpcClient, RestClient
from harness.load import Load
from harness.serving_api import prediction_log_pb2
from harness.tensors import array_of, tensor
from harness.tfrecords import whole_records
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(90)

ONE = {"instances": [1.0]}


def grpc_answer(client, model="half_plus_two"):
    answer = client.predict(model, {"x": tensor("float", [1.0])})
    return array_of(answer.outputs["y"]).tolist()


def await_grpc_answer(client, model="half_plus_two"):
    """An answer of a channel that was open before, which makes its connection anew by itself."""

    def answer():
        with contextlib.suppress(grpc.RpcError):
            return grpc_answer(client, model)

    return await_until(answer, "the open channel to reach the new process", 30.0)


def await_rest_answer(client, model="half_plus_two"):
    def answer():
        with contextlib.suppress(requests.ConnectionError):
            return client.predict(model, ONE).json()["predictions"]

    return await_until(answer, "the open session to reach the new process", 30.0)


def test_node_killed_under_load_serves_the_same_on_its_port_again(martlet, tmp_path):
    root, log = tmp_path / "models", tmp_path / "logs" / "requests"
    models.add_version(models.model_folder(root, "first"), 2, models.HALF_PLUS_THREE)
    served = ("half_plus_two",)
    flags = (f"--model-root={root}", f"--log-requests=half_plus_two={log}")
    node = martlet.serve(served, *flags)
    states = node.rest.states("first")
    with contextlib.ExitStack() as stack:
        rest = stack.enter_context(contextlib.closing(RestClient(node.address)))
        channel = stack.enter_context(contextlib.closing(GrpcClient(node.address)))
        assert rest.predict("half_plus_two", ONE).json() == {"predictions": [2.5]}
        assert grpc_answer(channel) == [2.5]
        with Load(node.address) as load:
            # Enough that the request log has filled its buffers and written some.
            load.await_more(200)
            node.kill()
        again = martlet.serve(served, *flags, port=node.port)
        assert await_rest_answer(rest) == [2.5]
        assert await_grpc_answer(channel) == [2.5]
    assert again.address == node.address
    assert again.rest.states("first") == states
    again.assert_unharmed()
    again.stop()
    killed, stopped = sorted(log.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for path in (killed, stopped):
        records = [prediction_log_pb2.PredictionLog.FromString(r) for r in whole_records(path)]
        assert records
        assert {r.log_metadata.model_spec.name for r in records} == {"half_plus_two"}
    # Its own end was orderly: no byte beyond the last whole record.
    assert sum(len(r) + 16 for r in whole_records(stopped)) == stopped.stat().st_size


def test_json_log_of_a_killed_node_has_whole_lines(martlet, tmp_path):
    log = tmp_path / "requests"
    node = martlet.serve(
        ("half_plus_two",), f"--log-requests=half_plus_two={log}", "--request-log-format=json"
    )
    with Load(node.address) as load:
        load.await_more(200)
        node.kill()
    (path,) = tmp_path.glob("requests-*.jsonl")
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    assert lines
    assert all("predictLog" in json.loads(line) for line in lines)


def test_model_server_killed_under_load_takes_its_ports_and_socket_again(
    tensorflow_model_server, martlet, tmp_path
):
    socket = tmp_path / "grpc.socket"
    folder = models.model_folder(tmp_path / "models", "half_plus_two")
    models.add_version(folder, 2, models.HALF_PLUS_THREE)
    flag = f"--grpc_socket_path={socket}"
    server = tensorflow_model_server(flag, models={"half_plus_two": folder})
    states = server.rest.states("half_plus_two")
    with contextlib.ExitStack() as stack:
        rest = stack.enter_context(contextlib.closing(RestClient(server.address)))
        ports = stack.enter_context(contextlib.closing(GrpcClient(server.grpc_address)))
        unix = stack.enter_context(contextlib.closing(GrpcClient(f"unix:{socket}")))
        assert rest.predict("half_plus_two", ONE).json() == {"predictions": [3.5]}
        assert grpc_answer(ports) == grpc_answer(unix) == [3.5]
        with Load(server.address, rest_threads=2, grpc_threads=0) as load:
            load.await_more()
            server.kill()
        assert socket.is_socket(), "a killed server cannot remove its socket"
        again = model_server.start(
            martlet,
            flag,
            models={"half_plus_two": folder},
            ports=(server.grpc_port, server.rest_port),
        )
        assert await_rest_answer(rest) == [3.5]
        assert await_grpc_answer(ports) == [3.5]
        assert await_grpc_answer(unix) == [3.5]
    assert again.rest.states("half_plus_two") == states
    again.stop()
