"""`martlet bench` against nodes, gateways and stand-ins."""

import json
import threading
import time

import pytest
from harness.certificates import Authority, curl
from harness.clients import predict_request
from harness.sockets import free_ports
from harness.stand_ins import stand_in, tokens
from harness.tensors import tensor
from harness.waiting import await_until

SHORT = ("--duration", 1, "--warm-up-seconds", 0.2)


@pytest.fixture
def bench(martlet):
    """Runs `martlet bench` and returns its report."""

    def run(target, *arguments, model="half_plus_two", code=0, seconds=30, **options):
        ended = martlet.run(
            *("bench", target, "--model", model, "--json", "-", *arguments),
            seconds=seconds,
            **options,
        )
        assert ended.returncode == code, ended.stderr + ended.stdout
        if code in (64, 69, 77) or not ended.stdout:
            return ended.stderr
        return json.loads(ended.stdout)

    return run


def target_of(report):
    (target,) = report["targets"]
    return target


def assert_sound(report, api):
    target = target_of(report)
    assert target["api"] == api
    assert target["errors"] == []
    assert target["requests"] == target["ok"] > 20
    assert target["rate"] == pytest.approx(
        target["ok"] / report["settings"]["duration_seconds"], rel=0.2
    )
    latency = target["latency_ms"]
    order = ["min", "p50", "p90", "p95", "p99", "p999", "max"]
    assert [latency[name] for name in order] == sorted(latency[name] for name in order)
    assert latency["min"] > 0
    assert target["series"]
    return target


@pytest.mark.parametrize("api", ["grpc", "rest", "oip", "oip-grpc"])
def test_closed_loop_over_every_api(bench, node, api):
    report = bench(f"http://{node.address}", "--api", api, "--concurrency", 4, *SHORT)
    assert assert_sound(report, api)["request"] == "x float [1]"
    assert report["settings"]["loop"] == "closed"
    assert report["settings"]["latency_from"] == "send"


@pytest.mark.parametrize("target", ["grpc://", "http://"])
@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_open_loop_keeps_its_rate(bench, node, target, arrivals):
    report = bench(target + node.address, "--rate", 200, "--arrivals", arrivals, *SHORT)
    sound = assert_sound(report, "grpc" if target == "grpc://" else "rest")
    assert report["settings"]["latency_from"] == "intended start"
    spread = 0 if arrivals == "constant" else 60
    assert abs(sound["requests"] - 200) <= spread + 1
    # A busy machine, and a build for debugging, take their time.
    assert sound["client"]["lag_p99_ms"] < 500


BRIEF = ("--duration", 0.3, "--warm-up-seconds", 0, "--concurrency", 2)


@pytest.mark.parametrize("api", ["grpc", "rest", "oip", "oip-grpc"])
@pytest.mark.parametrize("model", ["multi_input", "strings"])
def test_tensors_are_made_up_for_all_inputs(bench, node, api, model):
    target = target_of(
        bench(f"http://{node.address}", "--api", api, "--batch", 3, *BRIEF, model=model)
    )
    assert target["ok"] > 5
    assert target["request"].count("[3") == (2 if model == "multi_input" else 1)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("api", ["grpc", "rest"])
def test_tensors_are_made_up_of_all_types(bench, node, api):
    names = "float double int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string half"
    for name in [*names.split(), "bfloat16"]:
        signature = ("--signature", f"identity_{name}")
        report = bench(f"http://{node.address}", "--api", api, *signature, *BRIEF, model="dtypes")
        assert target_of(report)["request"] == f"x {name} [1]"
    said = bench(
        f"http://{node.address}", "--signature", "identity_complex64", model="dtypes", code=64
    )
    assert "complex64 cannot be made up" in said


def test_given_content_is_sent_as_it_is(bench, node, tmp_path):
    body = tmp_path / "body.json"
    body.write_text('{"instances": [1.0, 2.0]}', encoding="utf-8")
    report = bench(f"http://{node.address}", "--data", body, "--concurrency", 2, *SHORT)
    assert "25 bytes" in assert_sound(report, "rest")["request"]
    message = tmp_path / "request.pb"
    request = predict_request("half_plus_two", {"x": tensor("float", [1.0])})
    message.write_bytes(request.SerializeToString())
    assert_sound(bench(f"grpc://{node.address}", "--data", message, *SHORT), "grpc")


def test_traces_are_replayed(bench, node, tmp_path):
    trace = tmp_path / "trace.csv"
    times = [10 + 0.02 * number for number in range(100)]
    trace.write_text("time\n" + "\n".join(map(str, times)), encoding="utf-8")
    report = bench(f"http://{node.address}", "--trace", trace, "--trace-speed", 2)
    assert report["settings"]["loop"] == "trace"
    assert target_of(report)["requests"] == 100
    assert report["settings"]["duration_seconds"] == pytest.approx(0.99, abs=0.02)
    counts = tmp_path / "counts.csv"
    counts.write_text("30\n0\n20\n", encoding="utf-8")
    report = bench(f"http://{node.address}", "--trace", counts, "--trace-interval-seconds", 0.3)
    assert target_of(report)["requests"] == 50


@pytest.mark.deadline(60)
def test_saturation_is_found_within_the_objective(bench, node):
    report = bench(
        f"grpc://{node.address}",
        *("--find-saturation", "--slo-p99-ms", 100, "--start-rate", 50),
        *("--duration", 0.5, "--warm-up-seconds", 0.1),
        seconds=60,
    )
    found = report["saturation"]
    assert found["rate"] >= 50
    kept = [trial for trial in found["trials"] if trial["is_kept"]]
    assert all(trial["p99_ms"] <= 100 for trial in kept)
    assert not all(trial["is_kept"] for trial in found["trials"])


def slow_after(seconds, stall):
    """Answers at once, but for one pause of the whole server."""
    start = time.monotonic()
    lock = threading.Lock()
    stalled = []

    def answer(handler, _):
        with lock:
            if not stalled and time.monotonic() - start > seconds:
                stalled.append(True)
                time.sleep(stall)
        handler.send(200, b"{}")

    return answer


def test_stalled_server_shows_in_every_request_that_was_due(bench, tmp_path):
    """Coordinated omission: who only sends when answers come sees one slow answer of many."""
    body = tmp_path / "body.json"
    body.write_text("{}", encoding="utf-8")
    arguments = ("--data", body, "--duration", 3, "--warm-up-seconds", 0)
    with stand_in(slow_after(1, 1)) as server:
        report = bench(f"http://{server.address}", "--rate", 100, "--connections", 8, *arguments)
    opened = target_of(report)["latency_ms"]
    with stand_in(slow_after(1, 1)) as server:
        report = bench(f"http://{server.address}", "--concurrency", 1, *arguments)
    closed = target_of(report)["latency_ms"]
    # A third of the time nothing was answered: a request due in it waited half a second on average.
    assert opened["p90"] > 400
    assert opened["max"] > 900
    assert closed["p90"] < 200
    assert closed["max"] > 900


@pytest.mark.deadline(60)
def test_two_targets_are_compared_with_confidence(bench, tmp_path):
    body = tmp_path / "body.json"
    body.write_text("{}", encoding="utf-8")

    def after(seconds):
        def answer(handler, _):
            time.sleep(seconds)
            handler.send(200, b"{}")

        return answer

    with stand_in(after(0.02)) as fast, stand_in(after(0.06)) as slow:
        report = bench(
            f"http://{fast.address}",
            *("--compare", f"http://{slow.address}", "--data", body, "--concurrency", 2),
            *("--rounds", 4, "--duration", 2, "--warm-up-seconds", 0.2),
        )
    rate = report["comparison"]["rate"]
    # A third, and more the more a busy machine adds to both.
    assert 0 < rate["low"] <= rate["value"] <= rate["high"] < 1
    assert report["comparison"]["p50"]["low"] > 1
    assert [target["errors"] for target in report["targets"]] == [[], []]


def test_failures_are_counted_by_kind_and_shown(bench, tmp_path):
    calls = []

    def answer(handler, _):
        calls.append(1)
        fails = len(calls) > 3 and len(calls) % 2
        handler.send(500 if fails else 200, b'{"error": "out of feathers"}')

    body = tmp_path / "body.json"
    body.write_text("{}", encoding="utf-8")
    with stand_in(answer) as server:
        report = bench(f"http://{server.address}", "--data", body, *SHORT, code=1)
    (error,) = target_of(report)["errors"]
    assert error["code"] == "HTTP 500"
    assert error["sample"] == "out of feathers"
    assert target_of(report)["requests"] == target_of(report)["ok"] + error["count"]


def test_objective_that_is_missed_is_told_by_exit_code(bench, node):
    arguments = ("--concurrency", 2, *SHORT)
    missed = bench(f"http://{node.address}", "--slo-p99-ms", 0.001, *arguments, code=1)
    assert target_of(missed)["errors"] == []
    bench(f"http://{node.address}", "--slo-p99-ms", 10_000, *arguments)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("loop", [("--concurrency", 4), ("--rate", 100)])
def test_server_that_is_killed_is_told_and_ends_nothing_early(martlet, bench, scheme, loop):
    node = martlet.serve(("half_plus_two",))
    killer = threading.Timer(3, node.kill)
    killer.start()
    report = bench(
        f"{scheme}://{node.address}",
        *(*loop, "--duration", 5, "--warm-up-seconds", 0, "--timeout-seconds", 2),
        code=1,
    )
    killer.join()
    target = target_of(report)
    assert target["ok"] > 50
    codes = {error["code"] for error in target["errors"]}
    assert codes <= {"CONNECTION_CLOSED", "NOT_CONNECTED", "NOT_SENT", "TIMEOUT", "NOT_BEGUN"}
    assert codes & {"NOT_CONNECTED", "NOT_SENT"}


def test_gateway_is_a_target_like_any_other(bench, martlet, node):
    gateway = martlet.gateway([node])
    assert_sound(bench(f"grpc://{gateway.address}", *SHORT), "grpc")


def test_language_models_are_measured_by_their_tokens(bench):
    with stand_in(tokens(5, first_seconds=0.05, seconds=0.01)) as server:
        for function in ("chat", "completions"):
            report = bench(
                f"http://{server.address}",
                *("--api", "openai", "--function", function, "--prompt", "Why do swifts scream?"),
                *("--max-tokens", 5, "--concurrency", 3, "--duration", 1.5),
                model="llama",
            )
            stream = target_of(report)["stream"]
            assert 45 < stream["first_token_ms"]["p50"] < 1000
            assert 8 < stream["between_tokens_ms"]["p50"] < 500
            assert stream["tokens_per_second"] > 5
        path, _, body = server.requests[0]
        assert path == "/v1/chat/completions"
        assert json.loads(body)["messages"][0]["content"] == "Why do swifts scream?"
        report = bench(
            f"http://{server.address}", "--api", "openai", "--no-stream", *SHORT, model="llama"
        )
        assert "stream" not in target_of(report)


def test_unknown_models_and_targets_are_told_before_any_load(bench, node):
    (port,) = free_ports(1)
    for scheme in ("http", "grpc"):
        said = bench(f"{scheme}://{node.address}", model="nothing", code=1)
        assert "nothing" in said
        said = bench(f"{scheme}://127.0.0.1:{port}", code=69)
        assert f"Cannot connect to 127.0.0.1:{port}" in said
    said = bench(f"http://{node.address}", "--signature", "other", code=1)
    assert "no signature 'other'; it has " in said
    assert "'serving_default'" in said
    with stand_in(tokens(1)) as server:
        assert "gRPC" in bench(f"grpc://{server.address}", "--timeout-seconds", 2, code=69)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rate", 10, "--concurrency", 3), "--concurrency and --rate exclude each other"),
        (("--rate", 0), "--rate is 0; use 0.001 to 1e+07"),
        (("--find-saturation",), "--find-saturation needs --slo-p99-ms"),
        (("--arrivals", "poisson"), "--arrivals is for --rate"),
        (("--shape", "x"), "write NAME=SIZE,SIZE"),
        (("--header", "x"), "write NAME:VALUE"),
        (("--concurrency", 8, "--connections", 2), "fewer than --concurrency (8)"),
        (("--cacert", "ca.pem"), "are for TLS"),
        (("--trace", "/nothing"), "'/nothing' (--trace) cannot be read"),
    ],
)
def test_flags_that_make_no_sense_are_explained(bench, arguments, said):
    assert said in bench("http://127.0.0.1:1", *arguments, code=64)


def test_keys_headers_and_tls_reach_the_server(bench, martlet, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("swift:secret-key-of-sixteen\n", encoding="utf-8")
    authority = Authority(tmp_path / "authority", "root")
    certificate, key = authority.issue("server")
    node = martlet.serve(
        ("half_plus_two",),
        *("--api-key-file", keys, "--tls-certificate", certificate, "--tls-key", key),
        ready=None,
    )
    trusted = ("--cacert", authority.certificate, "--concurrency", 2, *SHORT)
    for scheme, api in (("https", "rest"), ("grpcs", "grpc")):
        target = f"{scheme}://{node.address}"
        node_is_up(node, authority)
        assert_sound(bench(target, "--api-key-file", keys, *trusted), api)
        environment = {"MARTLET_API_KEY": "secret-key-of-sixteen"}
        assert_sound(bench(target, *trusted, environment=environment), api)
        header = ("--header", "x-api-key: secret-key-of-sixteen")
        assert_sound(bench(target, *header, *trusted), api)
        assert "API key" in bench(target, *trusted, code=77)


def node_is_up(node, authority):
    url = f"https://{node.address}/healthz/ready"
    await_until(
        lambda: curl("--cacert", authority.certificate, url)[1] == 200, "the node to be ready"
    )


def test_report_is_a_table_and_a_page(martlet, node, tmp_path):
    page = tmp_path / "report.html"
    ended = martlet.run(
        *("bench", f"http://{node.address}", "--model", "half_plus_two", "--html", page, *SHORT)
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    rows = {line[:24].strip(): line[24:].strip() for line in ended.stdout.splitlines()}
    for name in ("requests", "failed", "rate", "p50", "p99", "p99.9", "max"):
        assert any(row.startswith(name) for row in rows), ended.stdout
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<svg") >= 3
    assert "\x1b" not in ended.stdout
