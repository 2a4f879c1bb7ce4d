"""`martlet doctor` before something runs, and while it does."""

import contextlib
import json
import os
import socket

import pytest
from harness import genai, language_models, models
from harness.models import fixture

HALF_PLUS_TWO = f"--model=half_plus_two={fixture('half_plus_two')}"


@pytest.fixture
def doctor(martlet):
    """Runs the doctor; gives its checks by name and subject."""

    def run(*arguments, code=0, **options):
        ended = martlet.run("doctor", "--json", *arguments, **options)
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert not ended.stderr
        report = json.loads(ended.stdout)
        worst = {check["result"] for check in report["checks"]}
        assert report["result"] == next(r for r in ("fail", "warn", "ok") if r in worst)
        for check in report["checks"]:
            assert bool(check["remedy"]) == (check["result"] != "ok"), check
        return {(check["check"], check["of"]): check for check in report["checks"]}

    return run


def results(checks, *names):
    return {key: check["result"] for key, check in checks.items() if key[0] in names}


@contextlib.contextmanager
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_machine_alone_is_looked_at(doctor):
    checks = doctor()
    assert checks["processors", "machine"]["found"].endswith("at once")
    assert "avx2" in checks["features", "processor"]["found"]
    engines = results(checks, "engine")
    # One that is only shown where it is installed.
    engines.pop(("engine", "openvino-genai"), None)
    names = ("tensorflow", "openvino", "litert", "llama")
    assert engines == {("engine", name): "ok" for name in names}
    assert checks["engine", "tensorflow"]["found"].startswith("2.")
    assert not results(checks, "threads", "model", "port")


def test_node_that_is_well_is_said_to_be(doctor):
    checks = doctor("serve", HALF_PLUS_TWO, "--port", 0)
    assert results(checks, "threads", "memory", "port", "model") == {
        ("threads", "node"): "ok",
        ("memory", "node"): "ok",
        ("port", "node"): "ok",
        ("model", "half_plus_two"): "ok",
    }
    found = checks["model", "half_plus_two"]["found"]
    assert found.startswith("version 1: saved_model, ")
    assert "serving_default" in found


def test_tables_are_for_people(martlet):
    shown = martlet.run("doctor", "serve", HALF_PLUS_TWO, "--port", 0)
    assert shown.returncode == 0, shown.stderr
    head, *rows = shown.stdout.splitlines()
    assert head.split() == ["CHECK", "OF", "RESULT", "FOUND"]
    columns = {row[head.index("RESULT") :].split()[0] for row in rows[:8]}
    assert columns <= {"ok", "warn"}
    assert "fail" in shown.stdout.splitlines()[-1]


def test_all_formats_are_described(doctor):
    names = ("half_plus_two", "half_plus_two_tflite", "half_plus_two_onnx")
    folders = [(name, fixture(name)) for name in names if fixture(name).exists()]
    assert len(folders) > 1
    flags = [f"--model={name}={path}" for name, path in folders]
    checks = doctor("serve", *flags, "--port", 0)
    formats = {checks["model", name]["found"].split()[2].rstrip(",") for name, _ in folders}
    assert len(formats) == len(folders)


def test_memory_of_a_language_model_is_more_than_its_files(doctor):
    if not language_models.FOLDER.exists():
        pytest.skip("needs SmolLM2")
    model = f"--model=smollm2={language_models.FOLDER}"
    flags = (model, "--port", 0, "--kv-cache", "64MiB", "--context-tokens")
    # One sequence has all the memory that it may need.
    small, large = (
        doctor("serve", *flags, tokens, code=code)["memory", "node"]
        for tokens, code in ((2048, 0), (1 << 24, 1))
    )
    assert "of KV memory" in small["found"]
    assert (small["result"], large["result"]) == ("ok", "fail")
    assert "--kv-cache" in large["remedy"]


@genai.needed
def test_memory_of_a_model_in_two_engines_counts_twice(doctor):
    if not language_models.FOLDER.exists():
        pytest.skip("needs SmolLM2")
    model = f"--model=smollm2={language_models.FOLDER}"
    flags = (model, "--port", 0, "--kv-cache", "64MiB", "--context-tokens", 2048)
    found = {}
    for engine in ("llama", "auto-both"):
        checks = doctor("serve", *flags, "--engine", engine)
        found[engine] = checks["memory", "node"]["found"].split(" of KV memory")[0].split(" and ")
        assert ("in two engines" in checks["model", "smollm2"]["found"]) == (engine == "auto-both")
    (files, alone), (same_files, both) = found["llama"], found["auto-both"]
    assert files == same_files
    # The weights are there once more too.
    assert amount(both) > 2 * amount(alone)


def amount(text):
    """Bytes, of a text such as `64.0 MiB`."""
    number, unit = text.split()
    return float(number) * 1024 ** ("B", "KiB", "MiB", "GiB").index(unit)


# That variables are missing altogether only an engine can tell: many models have none.
@pytest.mark.parametrize("corrupt", models.CORRUPTIONS[:4], ids=lambda f: f.__name__)
def test_broken_model_fails(doctor, tmp_path, corrupt):
    model = models.model_folder(tmp_path)
    corrupt(model / "1")
    checks = doctor("serve", f"--model=half={model}", "--port", 0, code=1)
    assert checks["model", "half"]["result"] == "fail"
    assert str(model) in checks["model", "half"]["found"]


def test_models_of_a_root_are_looked_at_one_by_one(doctor, tmp_path):
    models.model_folder(tmp_path, "good")
    models.empty_graph(models.model_folder(tmp_path, "bad") / "1")
    (tmp_path / "empty").mkdir()
    checks = doctor("serve", "--model-root", tmp_path, "--port", 0, code=1)
    assert results(checks, "model") == {
        ("model", "good"): "ok",
        ("model", "bad"): "fail",
        ("model", "empty"): "fail",
    }
    assert "holds no version" in checks["model", "empty"]["found"]
    missing = doctor("serve", "--model-root", tmp_path / "nowhere", "--port", 0, code=1)
    assert list(results(missing, "model").values()) == ["fail"]


def test_threads_beyond_the_cores_warn_and_fail_if_strict(doctor):
    flags = ("serve", HALF_PLUS_TWO, "--port", 0, "--engine-threads", 1000)
    checks = doctor(*flags)
    assert checks["threads", "node"]["result"] == "warn"
    assert "--engine-threads" in checks["threads", "node"]["remedy"]
    doctor("--strict", *flags, code=1)


def test_affinity_bounds_the_cores(doctor):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core")
    both = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(both)})
    try:
        checks = doctor("serve", HALF_PLUS_TWO, "--port", 0, "--engine-threads", 2)
    finally:
        os.sched_setaffinity(0, both)
    assert checks["processors", "machine"]["found"].endswith("1 at once")
    assert checks["threads", "node"]["result"] == "warn"
    assert checks["threads", "node"]["found"].startswith("2 threads on 1 core:")


def test_port_that_is_taken_fails(doctor):
    with taken_port() as port:
        checks = doctor("serve", HALF_PLUS_TWO, "--port", port, code=1)
        assert checks["port", "node"]["result"] == "fail"
        assert f":{port}" in checks["port", "node"]["found"]
    doctor("serve", HALF_PLUS_TWO, "--port", port)


def test_engine_that_is_needed_and_missing_fails(doctor):
    nowhere = {"MARTLET_TENSORFLOW_PATH": "/nowhere", "MARTLET_OPENVINO_PATH": "/nowhere"}
    checks = doctor("serve", HALF_PLUS_TWO, "--port", 0, code=1, environment=nowhere)
    assert checks["engine", "tensorflow"]["result"] == "fail"
    assert "install" in checks["engine", "tensorflow"]["remedy"].lower()
    assert checks["engine", "openvino"]["result"] == "warn"


def test_cluster_is_looked_at_as_a_whole(doctor, tmp_path):
    cluster = tmp_path / "cluster.yaml"
    model = models.model_folder(tmp_path)
    with taken_port() as port:
        cluster.write_text(
            f"gateway: {{port: {port}, admin_port: 0}}\n"
            "nodes: {count: 3, first_port: 0, engine_threads: 8}\n"
            f"models: [{{name: half, path: {model}}}]\n"
        )
        checks = doctor("-c", cluster, code=1)
    assert results(checks, "threads") == {
        ("threads", "node-1"): "warn",
        ("threads", "node-2"): "warn",
        ("threads", "node-3"): "warn",
        ("threads", "all nodes"): "warn",
    }
    assert checks["threads", "all nodes"]["found"].startswith("24 threads of 3 nodes")
    assert results(checks, "model") == {("model", "half"): "ok"}
    assert checks["port", "gateway"]
    cluster.write_text("nodes: {count: x}\nmodels: []\n")
    assert doctor("-c", cluster, code=1)["configuration", str(cluster)]["result"] == "fail"


def test_running_node_tells_of_its_threads(doctor, martlet):
    node = martlet.serve(("half_plus_two",), "--engine-threads", 3)
    checks = doctor("--node", node.address, "--watch-seconds", "0.2")
    found = checks["threads", node.address]["found"]
    assert "engine 3" in found
    assert found.startswith("3 threads on ")
    assert checks["load", node.address]["result"] == "ok"
    assert "threads ran" in checks["scheduling", node.address]["found"]
    metrics = node.rest.get("/metrics").text
    assert 'martlet_threads{kind="engine"} 3' in metrics
    assert f"martlet_process_id {node.pid}" in metrics
    lines = [json.loads(line) for line in node.log_lines() if line.startswith("{")]
    budget = [line for line in lines if line["msg"] == "threads"]
    assert len(budget) == 1
    assert "engine 3" in budget[0]["budget"]


def test_node_that_is_not_there_fails(doctor):
    with taken_port() as port:
        pass
    address = f"127.0.0.1:{port}"
    checks = doctor("--node", address, code=1)
    assert checks["node", address]["result"] == "fail"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("gateway",), "martlet doctor serve"),
        (("serve",), "Name a model"),
        (("serve", HALF_PLUS_TWO, "--nope"), "--nope"),
        (("-c", "x.yaml", "serve", HALF_PLUS_TWO), "not both"),
        (("--watch-seconds", "0"), "--watch-seconds"),
        (("--node", "https://a:1", "--cert", "a.pem"), "--cert and --key go together"),
        (("--node", "a:1", "--cert", "a.pem", "--key", "a.key"), "--node https://a:1"),
        (("--node", "a:1", "--cacert", "a.pem"), "--node https://a:1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_command_lines_exit_64(martlet, arguments, text):
    refusal = martlet.run("doctor", *arguments)
    assert refusal.returncode == 64, refusal.stderr
    assert text in refusal.stderr
