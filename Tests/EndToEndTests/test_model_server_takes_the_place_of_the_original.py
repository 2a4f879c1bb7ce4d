"""A model server started as the original is: two ports, a socket, files and flags as they were."""

import concurrent.futures
import errno
import os
import signal
import socket
import subprocess

import grpc
import pytest
from harness import model_server, models
from harness.clients import GrpcClient, RestClient, predict_request, refused
from harness.http1 import RawConnection, await_refusal, post
from harness.paths import promtool
from harness.prometheus import Samples
from harness.serving_api import model_management_pb2
from harness.tensors import array_of, tensor
from harness.waiting import await_until

METRICS = "/monitoring/prometheus/metrics"
COUNT = ":tensorflow:serving:request_count"
ONE = {"instances": [1.0]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def only_server(module_martlet, folder):
    half = models.model_folder(folder, "half")
    models.add_version(half, 2, models.HALF_PLUS_THREE)
    monitoring = model_server.text_file(
        folder / "monitoring.config", f'prometheus_config: {{ enable: true, path: "{METRICS}" }}'
    )
    policy = "model_version_policy { %s }"
    return model_server.start(
        module_martlet,
        *("--monitoring_config_file", monitoring),
        *("--grpc_socket_path", folder / "grpc.sock"),
        "--rest_api_enable_cors_support",
        "--enable_grpc_healthcheck_service=true",
        *("--file_system_poll_wait_seconds", "0"),
        "--use_alts_credentials",
        "--skip_initialize_tpu=true",
        *("--mixed_precision", "bfloat16"),
        *("--rest_api_num_threads", "3"),
        "--flush_filesystem_caches=false",
        "--grpc_channel_arguments=grpc.http2.bdp_probe=0,grpc.so_reuseaddr=1",
        models={
            "half_plus_two": models.fixture("half_plus_two"),
            "latest": half,
            "all": (half, policy % "all {}"),
            "specific": (half, policy % "specific { versions: 1 }"),
            "labelled": (
                half,
                policy % "specific { versions: 1 versions: 2 }"
                + " version_labels { key: 'stable' value: 1 }"
                + " version_labels { key: 'canary' value: 2 }",
            ),
        },
    )


@pytest.fixture
def server(only_server):
    yield only_server
    only_server.assert_running()


def test_stock_clients_are_answered_on_both_ports(server):
    server.assert_unharmed()
    assert server.grpc.check().status == 1


def test_socket_answers_as_the_port_does(server, folder):
    client = server.client(GrpcClient, f"unix:{folder / 'grpc.sock'}")
    answer = client.predict("half_plus_two", {"x": tensor("float", [1.0, 5.0])})
    assert array_of(answer.outputs["y"]).tolist() == [2.5, 4.5]


def test_both_ports_answer_over_ipv6_as_over_ipv4(server):
    try:
        socket.create_connection(("::1", server.rest_port), timeout=60).close()
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            pytest.skip("this machine has no IPv6")
        raise
    rest = server.client(RestClient, f"[::1]:{server.rest_port}")
    assert rest.predict("half_plus_two", ONE).json() == {"predictions": [2.5]}
    over_grpc = server.client(GrpcClient, f"ipv6:[::1]:{server.grpc_port}")
    answer = over_grpc.predict("half_plus_two", {"x": tensor("float", [1.0])})
    assert array_of(answer.outputs["y"]).tolist() == [2.5]


def test_each_port_speaks_its_own_protocol_only(server):
    misled = server.client(GrpcClient, server.address)
    with refused(grpc.StatusCode.UNAVAILABLE):
        misled.status("half_plus_two")
    with RawConnection(server.grpc_address) as connection:
        connection.send(post("/v1/models/half_plus_two:predict", b'{"instances": [1.0]}'))
        assert b"2.5" not in connection.read_until_closed()


def test_policies_choose_the_versions(server):
    assert server.rest.states("latest") == {2: "AVAILABLE"}
    assert server.rest.states("all") == {1: "AVAILABLE", 2: "AVAILABLE"}
    assert server.rest.states("specific") == {1: "AVAILABLE"}
    for name, value in (("latest", 3.5), ("all", 3.5), ("specific", 2.5)):
        assert server.rest.predict(name, ONE).json() == {"predictions": [value]}


@pytest.mark.parametrize(("label", "version", "value"), [("stable", 1, 2.5), ("canary", 2, 3.5)])
def test_labels_of_the_file_name_versions_in_requests(server, label, version, value):
    path = f"/v1/models/labelled/labels/{label}"
    assert server.rest.post(f"{path}:predict", ONE).json() == {"predictions": [value]}
    metadata = server.rest.get(f"{path}/metadata").json()
    assert metadata["model_spec"]["version"] == str(version)
    request = predict_request("labelled", {"x": tensor("float", [1.0])})
    request.model_spec.version_label = label
    answer = server.grpc.prediction.Predict(request, timeout=60)
    assert array_of(answer.outputs["y"]).tolist() == [value]
    assert answer.model_spec.version.value == version
    assert answer.model_spec.signature_name == "serving_default"


def test_unknown_label_is_refused_over_both_protocols(server):
    message = "Unrecognized servable version label: nope"
    response = server.rest.post("/v1/models/labelled/labels/nope:predict", ONE)
    assert (response.status_code, response.json()) == (400, {"error": message})
    request = predict_request("labelled", {"x": tensor("float", [1.0])})
    request.model_spec.version_label = "nope"
    with refused(grpc.StatusCode.INVALID_ARGUMENT, message):
        server.grpc.prediction.Predict(request, timeout=60)


def test_pages_of_other_origins_may_call(server):
    headers = {"Origin": "https://example.com"}
    response = server.rest.predict("half_plus_two", ONE, headers=headers)
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_metrics_move_under_the_originals_names(server):
    def count():
        samples = Samples(server.rest.get(METRICS).text)
        return samples.total(COUNT, model_name="half_plus_two", status="OK")

    before = count()
    server.assert_unharmed()
    assert count() == before + 2


def test_promtool_reads_the_metrics(server):
    tool = promtool()
    if tool is None and "CI" not in os.environ:
        pytest.skip("promtool is missing; set-up fetches it")
    server.assert_unharmed()
    checked = subprocess.run(
        [tool, "check", "metrics"],
        input=server.rest.get(METRICS).text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # 3 is what it answers when it could read the page and would spell it differently.
    assert checked.returncode == 3, checked.stdout + checked.stderr


def test_flags_without_meaning_are_told_once(server):
    warnings = [line for line in server.log_lines() if "has no effect" in line]
    flags = (
        "use_alts_credentials",
        "skip_initialize_tpu",
        "mixed_precision",
        "rest_api_num_threads",
        "flush_filesystem_caches",
    )
    for flag in flags:
        assert len([line for line in warnings if f"--{flag} " in line]) == 1, warnings
    assert len([line for line in warnings if "grpc.http2.bdp_probe" in line]) == 1
    assert len(warnings) == len(flags) + 1


def test_whoever_reaches_the_port_may_reload(server):
    request = model_management_pb2.ReloadConfigRequest()
    listed = request.config.model_config_list.config
    for name in ("half_plus_two", "latest", "all", "specific", "labelled", "extra"):
        entry = listed.add(name=name, model_platform="tensorflow")
        entry.base_path = str(models.fixture("half_plus_two"))
    assert server.grpc.models.HandleReloadConfigRequest(request, timeout=60).status.error_code == 0
    assert server.rest.predict("extra", ONE).json() == {"predictions": [2.5]}


def test_profiler_is_on_unless_switched_off(server):
    # duration_ms = 1, session_id = "s", emit_xspace = true.
    server.grpc.call("/tensorflow.ProfilerService/Profile", b"\x08\x01\x32\x01s\x48\x01")


def test_who_can_connect_can_predict(tensorflow_model_server):
    server = tensorflow_model_server(models="big", ready=None)

    def connected():
        server.assert_running()
        try:
            return RawConnection(server.grpc_address)
        except ConnectionRefusedError:
            return None

    with await_until(connected, "the gRPC port to open"):
        assert server.grpc.status("big").model_version_status[0].state == 30


def test_socket_goes_to_the_server_that_was_started_last(tensorflow_model_server, tmp_path):
    socket_path = tmp_path / "grpc.sock"
    flag = f"--grpc_socket_path={socket_path}"
    first = tensorflow_model_server(flag)
    second = tensorflow_model_server(flag, models="multi_signature")
    client = second.client(GrpcClient, f"unix:{socket_path}")
    assert client.status("multi_signature").model_version_status[0].state == 30
    first.assert_unharmed()


def test_model_that_cannot_be_loaded_keeps_nobody_out(tensorflow_model_server, tmp_path):
    broken = models.model_folder(tmp_path, "broken")
    models.truncated_graph(broken / "1")
    server = tensorflow_model_server(
        models={
            "broken": broken,
            "missing": tmp_path / "nowhere",
            "half_plus_two": models.fixture("half_plus_two"),
        },
        ready="live",
    )
    server.assert_unharmed()
    assert server.rest.states("broken") == {1: "END"}
    assert server.rest.get("/healthz/ready").status_code == 503


def test_server_told_to_stop_while_it_loads_stops(tensorflow_model_server):
    server = tensorflow_model_server(models="big", ready=None)
    await_until(lambda: handles(server, signal.SIGTERM), "the server to listen for SIGTERM")
    server.stop()


def handles(process, number):
    """Whether a signal no longer just ends a process."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        masks = dict(line.strip().split(":", 1) for line in status if line.startswith("Sig"))
    return any(int(masks[name], 16) >> (number - 1) & 1 for name in ("SigIgn", "SigCgt", "SigBlk"))


@pytest.mark.deadline(60)
def test_requests_on_both_ports_are_finished_before_the_server_stops(
    tensorflow_model_server, steps_lasting
):
    server = tensorflow_model_server(models="matrix")
    steps = steps_lasting(1.5)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        over_rest = pool.submit(server.rest.predict, "matrix", {"inputs": steps}, timeout=60)
        over_grpc = pool.submit(
            server.grpc.predict, "matrix", {"steps": tensor("int32", steps)}, timeout=60
        )
        watcher = server.client(type(server.rest), server.address)
        await_until(
            lambda: watcher.metrics().total("martlet_requests_in_flight") > 2, "both requests"
        )
        server.send(signal.SIGTERM)
        await_refusal(server.address)
        await_refusal(server.grpc_address)
        assert over_rest.result(40).json()["outputs"]["done"] == steps
        assert int(array_of(over_grpc.result(40).outputs["done"])) == steps
    assert server.wait() == 0
