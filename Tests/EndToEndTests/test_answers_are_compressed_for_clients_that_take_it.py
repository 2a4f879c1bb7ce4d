"""Large answers over REST are compressed for who takes gzip, and for nobody else."""

import gzip
import json
import urllib.request

from harness.certificates import curl
from harness.tensors import tensor

SMALL = {"instances": [1.0]}
LARGE = {"instances": [1.0] * 1000}
PREDICT = "/v1/models/half_plus_two:predict"


def ask(node, body, encoding=None):
    """The header fields and the body as they come; urllib itself never decompresses."""
    headers = {"Accept-Encoding": encoding} if encoding else {}
    request = urllib.request.Request(
        f"{node.rest.url}{PREDICT}", json.dumps(body).encode(), headers=headers
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return answer.headers, answer.read()


def test_large_answer_is_compressed_where_the_client_takes_gzip(node):
    _, plain = ask(node, LARGE)
    headers, body = ask(node, LARGE, "gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Vary"] == "accept-encoding"
    assert int(headers["Content-Length"]) == len(body) < len(plain)
    assert gzip.decompress(body) == plain


def test_others_get_it_plain(node):
    for encoding in (None, "identity", "gzip;q=0", "br"):
        headers, body = ask(node, LARGE, encoding)
        assert "Content-Encoding" not in headers
        assert json.loads(body) == {"predictions": [2.5] * 1000}
    headers, body = ask(node, SMALL, "gzip")
    assert "Content-Encoding" not in headers
    assert json.loads(body) == {"predictions": [2.5]}


def test_stock_clients_decompress_by_themselves(node):
    answer = node.rest.predict("half_plus_two", LARGE)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json() == {"predictions": [2.5] * 1000}
    for version in ("--http1.1", "--http2-prior-knowledge"):
        code, status, body = curl(
            "--compressed", version, "-d", json.dumps(LARGE), node.rest.url + PREDICT
        )
        assert (code, status) == (0, 200)
        assert json.loads(body) == {"predictions": [2.5] * 1000}
    metrics = node.rest.get("/metrics")
    assert metrics.headers["Content-Encoding"] == "gzip"
    assert "martlet_requests_total" in metrics.text


def test_threshold_is_the_operators(martlet):
    node = martlet.serve(("half_plus_two",), "--compress-answers-bytes", 10)
    assert ask(node, {"instances": [1.0] * 50}, "gzip")[0]["Content-Encoding"] == "gzip"
    never = martlet.serve(("half_plus_two",), "--compress-answers-bytes", 0)
    assert "Content-Encoding" not in ask(never, LARGE, "gzip")[0]


def test_model_server_compresses_when_told_and_else_answers_as_the_original(
    tensorflow_model_server,
):
    server = tensorflow_model_server()
    assert "Content-Encoding" not in ask(server, LARGE, "gzip")[0]
    told = tensorflow_model_server("--compress_answers_bytes=1024")
    assert ask(told, LARGE, "gzip")[0]["Content-Encoding"] == "gzip"
    values = told.grpc.predict("half_plus_two", {"x": tensor("float", [1.0])})
    assert values.outputs["y"].float_val == [2.5]
