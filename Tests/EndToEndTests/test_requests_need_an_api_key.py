"""--api-key-file: who shows a key is served over REST and gRPC, everybody else is not."""

import grpc
import pytest
from harness.clients import assert_rest_error, predict_request, refused
from harness.models import fixture
from harness.tensors import tensor
from harness.waiting import await_until

KEY = "key-of-alice-0123456789"
OTHER = "key-of-nobody-987654321"
BODY = {"instances": [1.0]}
PREDICT = "/v1/models/half_plus_two:predict"


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# clients\nalice: {KEY}\n{OTHER}\n", encoding="ascii")
    return file


@pytest.fixture
def guarded(martlet, key_file):
    return martlet.serve(("half_plus_two",), "--api-key-file", key_file, access_log=True)


def predict(node, *metadata):
    request = predict_request("half_plus_two", {"x": tensor("float", [1.0])})
    return node.grpc.prediction.Predict(request, metadata=metadata, timeout=60)


def test_a_key_opens_rest_and_grpc(guarded):
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": OTHER}):
        answer = guarded.rest.predict("half_plus_two", BODY, headers=headers)
        assert answer.json() == {"predictions": [2.5]}
        assert guarded.rest.get("/v1/models", headers=headers).status_code == 200
    predict(guarded, ("authorization", f"Bearer {KEY}"))
    predict(guarded, ("x-api-key", OTHER))


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": f"Basic {KEY}"}])
def test_without_a_good_key_nothing_is_answered(guarded, headers):
    for path in (PREDICT, "/v2/models/half_plus_two/infer", "/nothing"):
        answer = guarded.rest.post(path, BODY, headers=headers)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        expected = "not known" if "X-API-Key" in headers else "An API key is needed"
        assert_rest_error(answer, 401, answer.json()["error"])
        assert expected in answer.json()["error"]
    for path in ("/v1/models", "/v2", "/v1/models/half_plus_two/metadata"):
        assert guarded.rest.get(path, headers=headers).status_code == 401
    metadata = [(name.lower(), value) for name, value in headers.items()]
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        predict(guarded, *metadata)
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        guarded.grpc.channel.unary_unary("/no.Service/Method")(b"", metadata=metadata, timeout=60)


def test_streams_need_a_key_too_but_for_health(guarded):
    path = "/inference.GRPCInferenceService/ModelStreamInfer"
    stream = guarded.grpc.channel.stream_stream(path)
    # An empty request names no model: it is answered, by a message that says so.
    assert len(list(stream(iter([b""]), metadata=[("x-api-key", KEY)], timeout=60))) == 1
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        list(stream(iter([b""]), timeout=60))
    watch = guarded.grpc.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=60)
    assert next(watch)
    watch.cancel()


def test_health_needs_no_key_and_metrics_none_from_the_same_machine(guarded):
    for path in ("/healthz/live", "/healthz/ready", "/v2/health/live", "/v2/health/ready"):
        assert guarded.rest.get(path).status_code == 200
    assert guarded.grpc.check().status == 1
    assert guarded.rest.get("/metrics").status_code == 200
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    assert guarded.rest.get("/metrics", headers=forwarded).status_code == 401
    forwarded["X-API-Key"] = KEY
    assert guarded.rest.get("/metrics", headers=forwarded).status_code == 200


def test_changed_file_is_read_again_and_keys_are_never_logged(guarded, key_file):
    new = "a-new-key-555555555555"

    def status(key):
        return guarded.rest.get("/v1/models", headers={"X-API-Key": key}).status_code

    assert (status(KEY), status(new)) == (200, 401)
    key_file.write_text(f"bad {KEY}\n", encoding="ascii")
    await_until(
        lambda: any("not read again" in line for line in guarded.log_lines()), "the complaint"
    )
    assert status(KEY) == 200
    key_file.write_text(f"{new}\n", encoding="ascii")
    await_until(lambda: status(new) == 200, "the new key to be good")
    assert status(KEY) == 401
    log = "\n".join(guarded.log_lines())
    assert "/v1/models" in log
    assert not any(key in log for key in (KEY, OTHER, new))


def test_pages_of_other_origins_may_show_keys(martlet, key_file):
    node = martlet.serve(("half_plus_two",), "--cors", "--api-key-file", key_file)
    answer = node.rest.session.options(node.rest.url + PREDICT, timeout=60)
    assert answer.status_code == 200
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("content", [None, "", "two words\n"])
def test_file_with_a_mistake_ends_the_start(martlet, tmp_path, content):
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content, encoding="ascii")
    model = f"--model=half_plus_two={fixture('half_plus_two')}"
    refusal = martlet.run("serve", model, "--port", 0, "--api-key-file", file)
    assert refusal.returncode == 64, refusal.stderr
    assert str(file) in refusal.stderr
    assert "words" not in refusal.stderr
