"""The Open Inference Protocol through the stock tritonclient, over HTTP and gRPC."""

import contextlib
import json

import ml_dtypes
import numpy as np
import pytest
import requests
import tritonclient.grpc
import tritonclient.http
from harness import models
from harness.tensors import extremes, same
from tritonclient.utils import InferenceServerException

DTYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "half": "FP16",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
}


class Client:
    """A stock client of either protocol, called in the same way."""

    def __init__(self, module, address, **options):
        self.module = module
        self.stock = module.InferenceServerClient(address, **options)
        self.is_http = module is tritonclient.http

    def input(self, name, datatype, array, **options):
        tensor = self.module.InferInput(name, array.shape, datatype)
        tensor.set_data_from_numpy(array, **options)
        return tensor

    def metadata(self, *names):
        options = {} if self.is_http else {"as_json": True}
        return self.stock.get_model_metadata(*names, **options)

    def statistics(self, *names):
        options = {} if self.is_http else {"as_json": True}
        return self.stock.get_inference_statistics(*names, **options)["model_stats"]

    def index(self):
        options = {} if self.is_http else {"as_json": True}
        index = self.stock.get_model_repository_index(**options)
        return index if self.is_http else index.get("models", [])

    def config(self, name):
        options = {} if self.is_http else {"as_json": True}
        answer = self.stock.get_model_config(name, **options)
        return answer if self.is_http else answer["config"]


@contextlib.contextmanager
def client_of(protocol, node):
    module = tritonclient.http if protocol == "http" else tritonclient.grpc
    client = Client(module, node.address)
    yield client
    client.stock.close()


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    return request.param


@pytest.fixture
def client(protocol, node):
    with client_of(protocol, node) as client:
        yield client


@contextlib.contextmanager
def refused(text):
    with pytest.raises(InferenceServerException) as failure:
        yield
    assert text in failure.value.message(), failure.value


def half_plus_two(client, values=(1.0, 2.0, 5.0), **options):
    x = client.input("x", "FP32", np.array(values, np.float32))
    return client.stock.infer("half_plus_two", [x], **options)


def test_health_of_node_and_models(client):
    assert client.stock.is_server_live()
    assert client.stock.is_server_ready()
    assert client.stock.is_model_ready("half_plus_two")
    assert client.stock.is_model_ready("half_plus_two", "1")
    assert not client.stock.is_model_ready("half_plus_two", "9")
    assert not client.stock.is_model_ready("nope")


def test_metadata_of_the_node(client):
    options = {} if client.is_http else {"as_json": True}
    metadata = client.stock.get_server_metadata(**options)
    assert metadata["name"] == "martlet"
    assert {"binary_tensor_data", "statistics", "model_repository"} <= set(metadata["extensions"])


def test_metadata_and_configuration_of_a_model(client):
    metadata = client.metadata("multi_input")
    assert metadata["name"] == "multi_input"
    assert metadata["versions"] == ["1"]
    assert metadata["platform"] == "tensorflow_savedmodel"
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["a", "b"]
    assert {tensor["datatype"] for tensor in metadata["inputs"]} == {"FP32"}
    assert [tensor["name"] for tensor in metadata["outputs"]] == ["product", "sum"]

    config = client.config("multi_input")
    assert config["name"] == "multi_input"
    assert [tensor["data_type"] for tensor in config["input"]] == ["TYPE_FP32"] * 2
    with refused("Request for unknown model: 'nope' is not found"):
        client.metadata("nope")


def test_inference_echoes_id_model_and_version(client):
    answer = half_plus_two(client, request_id="request 7")
    assert answer.as_numpy("y").tolist() == [2.5, 3.0, 4.5]
    response = answer.get_response()
    if not client.is_http:
        response = {
            "id": response.id,
            "model_name": response.model_name,
            "model_version": response.model_version,
        }
    assert response["id"] == "request 7"
    assert (response["model_name"], response["model_version"]) == ("half_plus_two", "1")
    assert half_plus_two(client, model_version="1").as_numpy("y").tolist() == [2.5, 3.0, 4.5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_in_binary_form(client, dtype):
    values = extremes(dtype)
    x = client.input("x", DTYPES[dtype], values)
    answer = client.stock.infer("dtypes", [x], parameters={"signature_name": f"identity_{dtype}"})
    assert same(answer.as_numpy("y"), values)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "half"])
def test_dtype_in_json(node, dtype):
    values = np.array([b"", b"swift"], object) if dtype == "string" else extremes(dtype)
    with client_of("http", node) as client:
        # The client cannot put numbers that are not finite into JSON.
        if dtype in ("float", "double"):
            values = values[:2]
        x = client.input("x", DTYPES[dtype], values, binary_data=False)
        y = tritonclient.http.InferRequestedOutput("y", binary_data=False)
        answer = client.stock.infer(
            "dtypes", [x], outputs=[y], parameters={"signature_name": f"identity_{dtype}"}
        )
        (output,) = answer.get_response()["outputs"]
        data = [v.encode() for v in output["data"]] if dtype == "string" else output["data"]
        assert same(np.array(data, values.dtype), values)


def test_bfloat16_in_binary_form(client):
    values = np.array([1.0, -0.0, 256.0], ml_dtypes.bfloat16)
    x = client.input("x", "BF16", values)
    answer = client.stock.infer("dtypes", [x], parameters={"signature_name": "identity_bfloat16"})
    assert same(answer.as_numpy("y"), values)


def test_strings_in_and_out(client):
    x = client.input("text", "BYTES", np.array([b"abc", b"swift"], object))
    answer = client.stock.infer("strings", [x])
    assert answer.as_numpy("upper").tolist() == [b"ABC", b"SWIFT"]
    assert answer.as_numpy("length").tolist() == [3, 5]


def test_outputs_named_are_the_only_ones_given(client):
    inputs = [
        client.input(name, "FP32", np.array([[1, 2]], np.float32) * factor)
        for name, factor in (("a", 1), ("b", 3))
    ]
    outputs = [client.module.InferRequestedOutput("sum")]
    answer = client.stock.infer("multi_input", inputs, outputs=outputs)
    assert answer.as_numpy("sum").tolist() == [[4.0, 8.0]]
    assert answer.as_numpy("product") is None


def test_scalars_in_and_out(client):
    answer = client.stock.infer("matrix", [client.input("steps", "INT32", np.array(7, np.int32))])
    assert answer.as_numpy("done") == 7


def test_mistakes_are_explained(client):
    with refused("Request for unknown model: 'nope' is not found"):
        client.stock.infer("nope", [client.input("x", "FP32", np.zeros(1, np.float32))])
    with refused("version 9"):
        half_plus_two(client, model_version="9")
    with refused("Missing but required: {x}"):
        client.stock.infer("half_plus_two", [client.input("z", "FP32", np.zeros(1, np.float32))])
    with refused("expects float"):
        client.stock.infer("half_plus_two", [client.input("x", "INT32", np.zeros(1, np.int32))])
    with refused("output tensor alias not found in signature: q"):
        half_plus_two(client, outputs=[client.module.InferRequestedOutput("q")])
    with refused("classification"):
        half_plus_two(client, outputs=[client.module.InferRequestedOutput("y", class_count=2)])
    with refused("not found in signature def"):
        half_plus_two(client, parameters={"signature_name": "nope"})


def test_many_calls_at_once(node):
    client = tritonclient.http.InferenceServerClient(node.address, concurrency=8)
    with contextlib.closing(client):
        x = tritonclient.http.InferInput("x", [1000], "FP32")
        x.set_data_from_numpy(np.arange(1000, dtype=np.float32))
        answers = [client.async_infer("half_plus_two", [x]) for _ in range(100)]
        for answer in answers:
            assert same(
                answer.get_result().as_numpy("y"), np.arange(1000, dtype=np.float32) / 2 + 2
            )


def count(part):
    """Over gRPC, what is 0 is left out."""
    return int(part.get("count", 0))


def test_statistics_count_what_ran(protocol, martlet):
    node = martlet.serve(["half_plus_two", "multi_input"])
    with client_of(protocol, node) as client:
        for _ in range(3):
            half_plus_two(client)
        (model,) = client.statistics("half_plus_two")
        assert (model["name"], model["version"]) == ("half_plus_two", "1")
        assert int(model["inference_count"]) == 3
        parts = model["inference_stats"]
        assert count(parts["success"]) == count(parts["compute_infer"]) == 3
        assert count(parts["fail"]) == 0
        assert int(parts["success"]["ns"]) >= int(parts["compute_infer"]["ns"]) > 0
        assert int(model["last_inference"]) > 0
        assert [model["name"] for model in client.statistics()] == ["half_plus_two", "multi_input"]
        with refused("unknown model"):
            client.statistics("nope")


def test_models_are_unloaded_and_loaded(protocol, martlet):
    node = martlet.serve(["half_plus_two", "multi_input"])
    with client_of(protocol, node) as client:

        def states():
            return {model["name"]: model["state"] for model in client.index()}

        assert states() == {"half_plus_two": "READY", "multi_input": "READY"}
        client.stock.unload_model("half_plus_two")
        assert not client.stock.is_model_ready("half_plus_two")
        # What nobody wants does not make the node unready.
        assert client.stock.is_server_ready()
        assert client.stock.is_model_ready("multi_input")
        assert states()["half_plus_two"] in ("UNLOADING", "UNAVAILABLE")
        with refused("unknown model"):
            half_plus_two(client)
        client.stock.load_model("half_plus_two")
        assert half_plus_two(client).as_numpy("y").tolist() == [2.5, 3.0, 4.5]
        assert states() == {"half_plus_two": "READY", "multi_input": "READY"}
        with refused("failed to load 'nope'"):
            client.stock.load_model("nope")
        with refused("failed to unload 'nope'"):
            client.stock.unload_model("nope")
        with refused("Parameter 'config' is not supported"):
            client.stock.load_model("half_plus_two", config="{}")


def test_models_under_the_root_stay_unloaded_until_they_are_loaded(protocol, martlet, tmp_path):
    models.add_version(tmp_path / "m", 1, models.HALF_PLUS_TWO)
    node = martlet.serve(["half_plus_two"], "--model-root", tmp_path)
    with client_of(protocol, node) as client:
        assert client.stock.is_model_ready("m")
        client.stock.unload_model("m")
        models.add_version(tmp_path / "m", 2, models.HALF_PLUS_THREE)
        models.add_version(tmp_path / "later", 1, models.HALF_PLUS_TWO)
        client.stock.load_model("later")
        assert client.stock.is_model_ready("later")
        assert not client.stock.is_model_ready("m")
        client.stock.load_model("m")
        assert client.stock.is_model_ready("m", "2")


def test_a_broken_model_fails_to_load_with_the_reason(protocol, martlet, tmp_path):
    node = martlet.serve(["half_plus_two"], "--model-root", tmp_path)
    models.empty_graph(models.add_version(tmp_path / "bad", 1, models.HALF_PLUS_TWO))
    with client_of(protocol, node) as client:
        with refused("failed to load 'bad', version 1: "):
            client.stock.load_model("bad")
        (entry,) = [model for model in client.index() if model["name"] == "bad"]
        assert entry["state"] == "UNAVAILABLE"
        assert entry["reason"]


def test_web_pages_and_forwarded_requests_may_not_unload(node):
    for header in ("Origin", "X-Forwarded-For"):
        response = requests.post(
            f"http://{node.address}/v2/repository/models/half_plus_two/unload",
            headers={header: "http://example.com"},
            timeout=60,
        )
        assert response.status_code == 403
        assert "--admin-api" in response.json()["error"]
    node.assert_unharmed()


def test_gateway_forwards_inference_but_nobody_unloads_through_it(protocol, martlet):
    node = martlet.serve()
    gateway = martlet.gateway([node])
    with client_of(protocol, gateway) as client:
        assert half_plus_two(client).as_numpy("y").tolist() == [2.5, 3.0, 4.5]
        with refused("allowed only from the node's own machine"):
            client.stock.unload_model("half_plus_two")
        assert client.stock.is_model_ready("half_plus_two")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2", 200),
        ("GET", "/v2/health/live", 200),
        ("GET", "/v2/health/ready", 200),
        ("GET", "/v2/models/half_plus_two/versions/1/ready", 200),
        ("GET", "/v2/models/half_plus_two/versions/1/stats", 200),
        ("GET", "/v2/models/half_plus_two/versions/1/config", 200),
        ("GET", "/v2/models/nope/ready", 400),
        ("GET", "/v2/models/nope", 404),
        ("GET", "/v2/models/half_plus_two/versions/99999999999999999999", 400),
        ("GET", "/v2/models/%2e%2e%2fhalf_plus_two", 404),
        ("GET", "/v2/models/%00", 404),
        ("GET", "/v2/nope", 404),
        ("GET", "/v2/models/half_plus_two/infer", 404),
    ],
)
def test_status_of_path(node, method, path, status):
    response = requests.request(method, f"http://{node.address}{path}", timeout=60)
    assert response.status_code == status, response.text
    if status != 200:
        assert list(response.json()) == ["error"]


@pytest.mark.parametrize(
    ("length", "body"),
    [
        ("-1", b"{}"),
        ("x", b"{}"),
        ("3", b"{}"),
        ("99999999999999999999", b"{}"),
        ("0", b""),
        (None, b"{"),
        (None, b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1e9], "data": []}]}'),
        (None, json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1 << 40]}]})),
    ],
)
def test_bad_bodies_are_refused(node, length, body):
    headers = {} if length is None else {"Inference-Header-Content-Length": length}
    response = requests.post(
        f"http://{node.address}/v2/models/half_plus_two/infer",
        data=body,
        headers=headers,
        timeout=60,
    )
    assert response.status_code == 400, response.text
    assert list(response.json()) == ["error"]
    node.assert_unharmed()
