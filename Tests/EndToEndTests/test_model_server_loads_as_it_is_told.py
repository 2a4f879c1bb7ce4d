"""Flags and files that say how models are loaded and asked."""

import shutil

import grpc
import pytest
from harness import model_server, models
from harness.clients import assert_rest_error, refused
from harness.model_server import text_file
from harness.prometheus import Samples
from harness.serving_api import prediction_log_pb2
from harness.tensors import array_of, tensor
from test_models_are_warm_before_they_answer import LATENCY, framed, put

METRICS = "/monitoring/prometheus/metrics"
ONE = {"instances": [1.0]}

PLATFORM = """
platform_configs {
  key: "tensorflow"
  value {
    source_adapter_config {
      [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {
        legacy_config {
          batching_parameters {
            max_batch_size { value: 4 }
            allowed_batch_sizes: 4
          }
          saved_model_tags: "serve"
          enable_model_warmup: %s
          prefer_tflite_model: true
        }
      }
    }
  }
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def both_formats(folder):
    """x / 2 + 2 as a SavedModel, and x / 2 + 3 for TFLite beside it."""
    version = models.model_folder(folder, "both") / "1"
    shutil.copy(models.fixture("half_plus_two_v2_tflite") / "2" / "model.tflite", version)
    return version.parent


def with_warm_up(folder, values, name="warm"):
    """A model whose warm-up predicts once for each value."""
    model = models.model_folder(folder, name)
    records = []
    for value in values:
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.name = name
        request.inputs["x"].CopyFrom(tensor("float", [value]))
        records.append(framed(log.SerializeToString()))
    put(model / "1", b"".join(records))
    return model


def monitoring(folder):
    text = f"prometheus_config {{ enable: true path: '{METRICS}' }}"
    return f"--monitoring_config_file={text_file(folder / 'monitoring.config', text)}"


@pytest.fixture(scope="module")
def only_server(module_martlet, folder):
    session = text_file(
        folder / "session.config",
        "intra_op_parallelism_threads: 1\ngraph_options { optimizer_options { opt_level: L0 } }\n"
        "gpu_options { allow_growth: true }\n",
    )
    return model_server.start(
        module_martlet,
        "--prefer_tflite_model",
        "--num_tflite_pools=2",
        "--num_tflite_interpreters_per_pool=2",
        "--num_request_iterations_for_warmup=3",
        "--rest_api_timeout_in_ms=500",
        "--enable_serialization_as_tensor_content",
        "--enable_signature_method_name_check=true",
        f"--tensorflow_session_config_file={session}",
        "--tensorflow_inter_op_parallelism=1",
        "--grpc_channel_arguments=grpc.max_receive_message_length=4096,grpc.lb_policy_name=grpclb",
        "--num_load_threads=2",
        "--num_unload_threads=2",
        monitoring(folder),
        models={
            "half_plus_two": models.fixture("half_plus_two"),
            "both": both_formats(folder),
            "warm": with_warm_up(folder, [1.0, 2.0]),
            "matrix": models.fixture("matrix"),
            "outputs": models.fixture("outputs"),
        },
    )


@pytest.fixture
def server(only_server):
    yield only_server
    only_server.assert_running()


def test_the_lite_model_is_preferred_where_there_are_both(server):
    assert server.rest.predict("both", ONE).json() == {"predictions": [3.5]}
    assert server.rest.predict("half_plus_two", ONE).json() == {"predictions": [2.5]}


def test_saved_model_is_preferred_otherwise(tensorflow_model_server, tmp_path):
    server = tensorflow_model_server(
        models={"both": both_formats(tmp_path), "lite": models.fixture("half_plus_two_tflite")}
    )
    assert server.rest.predict("both", ONE).json() == {"predictions": [2.5]}
    assert server.rest.predict("lite", ONE).json() == {"predictions": [2.5]}


def test_recorded_requests_run_before_the_first_of_a_client(server):
    (line,) = [line for line in server.log_lines() if '"warmed up"' in line]
    assert '"records":"2"' in line
    samples = Samples(server.rest.get(METRICS).text)
    assert samples.total(LATENCY, status="OK") == 1


def test_requests_over_rest_that_take_too_long_time_out(server, steps_lasting):
    slow = server.rest.predict("matrix", {"inputs": steps_lasting(1.5)})
    assert_rest_error(slow, 504, "Timed out waiting for notification")


def test_requests_over_grpc_may_take_as_long_as_their_client_allows(server, steps_lasting):
    steps = steps_lasting(1.0)
    answer = server.grpc.predict("matrix", {"steps": tensor("int32", steps)}, timeout=60)
    assert int(array_of(answer.outputs["done"])) == steps


def test_tensors_are_answered_as_content(server):
    outputs = server.grpc.predict("outputs", {"x": tensor("float", [1.0, 4.0])}).outputs
    assert outputs["pair"].tensor_content
    assert not outputs["pair"].float_val
    assert array_of(outputs["pair"]).tolist() == [[1.0, -1.0], [4.0, -4.0]]
    assert outputs["text"].string_val == [b"1", b"4"]


def test_message_beyond_the_size_of_the_channel_arguments_is_refused(server):
    fitting = tensor("float", [1.0] * 1000)
    answer = server.grpc.predict("half_plus_two", {"x": fitting})
    assert array_of(answer.outputs["y"]).tolist() == [2.5] * 1000
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        server.grpc.predict("half_plus_two", {"x": tensor("float", [1.0] * 1100)})


def test_platform_file_says_how_models_are_loaded(tensorflow_model_server, tmp_path):
    file = text_file(tmp_path / "platform.config", PLATFORM % "false")
    server = tensorflow_model_server(
        f"--platform_config_file={file}",
        models={"both": both_formats(tmp_path), "warm": with_warm_up(tmp_path, [1.0])},
    )
    assert server.rest.predict("both", ONE).json() == {"predictions": [3.5]}
    assert server.rest.predict("warm", ONE).json() == {"predictions": [2.5]}
    assert not [line for line in server.log_lines() if '"warmed up"' in line]
    padding = server.rest.metrics().total("martlet_batch_padding_rows_total", model="warm")
    assert padding == 3


def test_graph_is_chosen_by_its_tags(tensorflow_model_server):
    server = tensorflow_model_server(
        "--saved_model_tags=serve,gpu", "--max_num_load_retries=0", ready="live"
    )
    status = server.rest.status("half_plus_two")[1]
    assert status["state"] == "END"
    assert status["status"]["error_message"].startswith(
        "Could not find meta graph def matching supplied tags: { serve gpu }. "
    )


def test_warm_up_is_skipped_when_the_flag_says_so(tensorflow_model_server, tmp_path):
    model = models.model_folder(tmp_path, "cold")
    put(model / "1", b"these are no records")
    server = tensorflow_model_server("--enable_model_warmup=false", models={"cold": model})
    assert server.rest.predict("cold", ONE).json() == {"predictions": [2.5]}
