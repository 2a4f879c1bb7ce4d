"""Third-party clients (requests, grpcio with the stock stubs) bound to one address."""

import contextlib
import json
import re

import grpc
import pytest
import requests

from harness.prometheus import Samples
from harness.serving_api import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    health_pb2,
    health_pb2_grpc,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from harness.tensors import array_of, tensor

SECONDS = 60

CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Two channels to one address would otherwise share a connection, and a restarted server would
    # be called again only after a wait that grows.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


class RestClient:
    """One session of `requests`, so connections are kept and used again."""

    def __init__(self, address):
        self.url = f"http://{address}"
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path, **options):
        return self.session.get(self.url + path, timeout=SECONDS, **options)

    def post(self, path, body, timeout=SECONDS, **options):
        """Sends text and bytes as they are, anything else as JSON."""
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.session.post(self.url + path, data=data, timeout=timeout, **options)

    def predict(self, model, body, version=None, **options):
        pinned = "" if version is None else f"/versions/{version}"
        return self.post(f"/v1/models/{model}{pinned}:predict", body, **options)

    def status(self, model):
        """State and error of each version of a model, by number."""
        response = self.get(f"/v1/models/{model}")
        if response.status_code == 404:
            return {}
        assert response.status_code == 200, response.text
        return {int(v["version"]): v for v in response.json()["model_version_status"]}

    def states(self, model):
        return {version: status["state"] for version, status in self.status(model).items()}

    def metrics(self):
        response = self.get("/metrics")
        assert response.status_code == 200, response.text
        return Samples(response.text)

    def close(self):
        self.session.close()


class GrpcClient:
    def __init__(self, address, channel=None):
        self.channel = channel or grpc.insecure_channel(address, CHANNEL_OPTIONS)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def predict(self, model, inputs, timeout=SECONDS, **spec):
        return self.prediction.Predict(predict_request(model, inputs, **spec), timeout=timeout)

    def metadata(self, model, fields=("signature_def",)):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        request.model_spec.name = model
        return self.prediction.GetModelMetadata(request, timeout=SECONDS)

    def status(self, model, version=None):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        if version is not None:
            request.model_spec.version.value = version
        return self.models.GetModelStatus(request, timeout=SECONDS)

    def check(self, service=""):
        return self.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)

    def call(self, method, message, timeout=SECONDS):
        """Sends bytes as a message and returns the answer's bytes, whatever they mean."""
        return self.channel.unary_unary(method)(message, timeout=timeout)

    def close(self):
        self.channel.close()


PREDICT = "/tensorflow.serving.PredictionService/Predict"
CLASSIFY = "/tensorflow.serving.PredictionService/Classify"


def predict_request(model, inputs, version=None, signature=None, outputs=()):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    if signature is not None:
        request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(value)
    return request


def assert_rest_error(response, code, message):
    """The code, the media type, the shape of the body, and the message (or a pattern of it)."""
    assert response.status_code == code, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert list(body) == ["error"]
    assert_message(body["error"], message)


@contextlib.contextmanager
def refused(code, message=re.compile(".")):
    """The gRPC call inside fails with this code and this message (or a pattern of it)."""
    with pytest.raises(grpc.RpcError) as failure:
        yield
    assert failure.value.code() == code, failure.value
    assert_message(failure.value.details(), message)


def assert_message(text, expected):
    if isinstance(expected, re.Pattern):
        assert expected.search(text), f"{text!r} does not match {expected.pattern!r}"
    else:
        assert text == expected


def assert_unharmed(server):
    """A good request is answered, exactly, over both protocols."""
    response = server.rest.predict("half_plus_two", {"instances": [1.0, 2.0, 5.0]})
    assert response.text == '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    answer = server.grpc.predict("half_plus_two", {"x": tensor("float", [1.0, 2.0, 5.0])})
    assert array_of(answer.outputs["y"]).tolist() == [2.5, 3.0, 4.5]
