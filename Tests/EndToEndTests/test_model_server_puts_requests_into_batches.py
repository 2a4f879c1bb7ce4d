"""Batching as a parameters file says, for all models and for one that has a file of its own."""

import concurrent.futures

import grpc
import pytest
from harness import model_server, models
from harness.clients import refused
from harness.model_server import text_file
from harness.prometheus import Samples
from harness.tensors import array_of, tensor

METRICS = "/monitoring/prometheus/metrics"
WRAPPED = ":tensorflow:serving:batching_session:wrapped_run_count"

# The batch runs as soon as it is full: the timeout is longer than a test may take.
FULL_ONLY = """
max_batch_size {{ value: {size} }}
batch_timeout_micros {{ value: 60000000 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: 2 }}
thread_pool_name {{ value: 'birds' }}
{more}
"""


@pytest.fixture(scope="module")
def only_server(module_martlet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    own = models.model_folder(folder, "own")
    text_file(
        own / "1" / "batching_params.pbtxt",
        "max_batch_size { value: 2 } batch_timeout_micros { value: 60000000 }"
        " max_enqueued_batches { value: 10 } enable_large_batch_splitting { value: false }",
    )
    parameters = text_file(folder / "batching.config", FULL_ONLY.format(size=16, more=""))
    monitoring = text_file(
        folder / "monitoring.config", f"prometheus_config {{ enable: true path: '{METRICS}' }}"
    )
    return model_server.start(
        module_martlet,
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
        "--enable_per_model_batching_parameters=true",
        f"--monitoring_config_file={monitoring}",
        models={"half_plus_two": models.fixture("half_plus_two"), "own": own},
    )


@pytest.fixture
def server(only_server):
    yield only_server
    only_server.assert_running()


def runs(server, model):
    """How many batches of a model ran, and how many rows they had."""
    samples = server.rest.metrics()
    name = "martlet_batch_rows"
    return (
        samples.total(f"{name}_count", model=model),
        samples.total(f"{name}_sum", model=model),
    )


def ask(server, model, values):
    """All values at once, each by itself, half of them over each protocol."""

    def over_rest(value):
        with server.client(type(server.rest), server.address).session as session:
            url = f"{server.rest.url}/v1/models/{model}:predict"
            answer = session.post(url, json={"instances": [value]}, timeout=60)
            return answer.json()["predictions"]

    def over_grpc(value):
        answer = server.grpc.predict(model, {"x": tensor("float", [value])}, timeout=60)
        return array_of(answer.outputs["y"]).tolist()

    with concurrent.futures.ThreadPoolExecutor(len(values)) as pool:
        asked = [
            pool.submit(over_rest if index % 2 else over_grpc, value)
            for index, value in enumerate(values)
        ]
        return [future.result(25) for future in asked]


def test_requests_of_many_clients_run_together_and_each_gets_its_own_answer(server):
    server.grpc.status("half_plus_two")
    wrapped = Samples(server.rest.get(METRICS).text).total(WRAPPED)
    batches, rows = runs(server, "half_plus_two")
    values = [float(value) for value in range(48)]
    assert ask(server, "half_plus_two", values) == [[value / 2 + 2] for value in values]
    assert runs(server, "half_plus_two") == (batches + 3, rows + 48)
    samples = Samples(server.rest.get(METRICS).text)
    assert samples.total(WRAPPED) == wrapped + 3
    waited = ":tensorflow:serving:batching_session:queuing_latency_count"
    assert samples.total(waited, thread_pool_name="birds") >= 48


def test_model_with_parameters_of_its_own_is_batched_by_them(server):
    batches, rows = runs(server, "own")
    assert ask(server, "own", [1.0, 2.0, 3.0, 4.0]) == [[2.5], [3.0], [3.5], [4.0]]
    assert runs(server, "own") == (batches + 2, rows + 4)


def test_request_larger_than_any_batch_is_refused_where_splitting_is_off(server):
    with refused(
        grpc.StatusCode.INVALID_ARGUMENT,
        "Task size 3 is larger than maximum input batch size 2",
    ):
        server.grpc.predict("own", {"x": tensor("float", [1.0, 2.0, 3.0])})


def test_large_requests_are_split_and_small_ones_padded_where_the_file_says_so(
    tensorflow_model_server, tmp_path
):
    more = (
        "enable_large_batch_splitting { value: true } max_execution_batch_size { value: 8 }"
        " allowed_batch_sizes: 4 allowed_batch_sizes: 8"
    )
    parameters = text_file(
        tmp_path / "batching.config",
        FULL_ONLY.format(size=32, more=more).replace("60000000", "0"),
    )
    server = tensorflow_model_server(
        "--enable_batching", f"--batching_parameters_file={parameters}"
    )
    values = [float(value) for value in range(20)]
    answer = server.grpc.predict("half_plus_two", {"x": tensor("float", values)})
    assert array_of(answer.outputs["y"]).tolist() == [value / 2 + 2 for value in values]
    assert runs(server, "half_plus_two") == (3, 20)
    padding = "martlet_batch_padding_rows_total"
    assert server.rest.metrics().total(padding, model="half_plus_two") == 0
    server.grpc.predict("half_plus_two", {"x": tensor("float", [1.0])})
    assert server.rest.metrics().total(padding, model="half_plus_two") == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size"),
        ("allowed_batch_sizes: 8 allowed_batch_sizes: 4", "allowed_batch_sizes"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 8", "allowed_batch_sizes"),
    ],
)
def test_parameters_that_contradict_each_other_end_the_start(
    martlet, tmp_path, parameters, message
):
    file = text_file(tmp_path / "batching.config", parameters)
    refusal = martlet.run(
        "model-server",
        f"--model_base_path={models.fixture('half_plus_two')}",
        "--enable_batching",
        f"--batching_parameters_file={file}",
    )
    assert refusal.returncode == 255
    assert message in refusal.stderr
