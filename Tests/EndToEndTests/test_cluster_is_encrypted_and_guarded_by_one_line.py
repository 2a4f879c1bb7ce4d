"""`nodes: {tls: true}` and `gateway: {policy: FILE}` of `martlet up`; curl is everybody else."""

import json
import os
import pathlib
import re
import signal
import stat
import types

import pytest
from harness import models
from harness.certificates import Certificates, curl, secure_grpc, secure_rest, tls
from harness.clients import assert_unharmed
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(90)

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'


@pytest.fixture
def start(martlet, tmp_path):
    """Starts a cluster of two nodes whose temporary files are in a folder of the test."""
    folder = tmp_path / "cluster"
    models.model_folder(folder / "models")
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def up(nodes=None, policy=None, command=martlet.up):
        gateway = {"port": 0, "admin_port": 0}
        if policy is not None:
            text = policy if isinstance(policy, str) else json.dumps(policy)
            (folder / "gateway.yaml").write_text(text, encoding="utf-8")
            gateway["policy"] = "gateway.yaml"
        configuration = {
            "gateway": gateway,
            "nodes": {"count": 2, "first_port": 0, "engine_threads": 1, **(nodes or {})},
            "models": [{"name": "half_plus_two", "path": "models/half_plus_two"}],
        }
        file = folder / "cluster.yaml"
        file.write_text(json.dumps(configuration), encoding="utf-8")
        return command(file, environment={"TMPDIR": str(temporary)})

    up.folder = folder
    up.temporary = temporary
    return up


def refused_start(martlet, start, **settings):
    return start(
        command=lambda file, **options: martlet.run("up", "-c", file, **options), **settings
    )


def credentials(cluster):
    """The flags of curl with the gateway's certificate."""
    folder = pathlib.Path(cluster.state()["certificates"])
    return (
        *("--cacert", folder / "ca.pem"),
        *("--cert", folder / "gateway.pem", "--key", folder / "gateway.key"),
    )


def assert_closed_to_strangers(cluster):
    folder = pathlib.Path(cluster.state()["certificates"])
    for node in cluster.nodes().values():
        url = f"https://{node['address']}{PREDICT}"
        code, status, _ = curl("--cacert", folder / "ca.pem", "--data", BODY, url)
        assert (code != 0, status) == (True, 0), "a node answers who shows no certificate"
        code, status, _ = curl("--data", BODY, f"http://{node['address']}{PREDICT}")
        assert (code != 0, status) == (True, 0), "a node answers in the clear"
        code, status, body = curl(*credentials(cluster), "--data", BODY, url)
        assert (code, status) == (0, 200), body


def test_only_the_gateway_may_talk_to_nodes(martlet, start, tmp_path):
    cluster = start(nodes={"tls": True})
    cluster.assert_unharmed()
    assert_closed_to_strangers(cluster)
    # Nor does a certificate of another authority open them.
    pair = Certificates(martlet, tmp_path / "strangers").client("gateway")
    folder = pathlib.Path(cluster.state()["certificates"])
    for node in cluster.nodes().values():
        code, status, _ = curl(
            *("--cacert", folder / "ca.pem", "--cert", pair[0], "--key", pair[1]),
            *("--data", BODY, f"https://{node['address']}{PREDICT}"),
        )
        assert (code != 0, status) == (True, 0)
    await_healthy(martlet, cluster)


def await_healthy(martlet, cluster):
    """Awaits that `martlet status` shows all nodes healthy, with their models."""

    def shown():
        table = martlet.run("status", "--admin", cluster.admin_address)
        assert table.returncode == 0, table.stderr
        return table.stdout.count(" healthy") == 2 and table.stdout.count("AVAILABLE") == 2

    await_until(shown, "all nodes to be healthy by the gateway's word", 30)


def test_certificates_are_private_and_end_with_the_cluster(start):
    cluster = start(nodes={"tls": True})
    folder = pathlib.Path(cluster.state()["certificates"])
    assert folder.parent == start.temporary
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {"ca.pem", "node.pem", "node.key", "gateway.pem", "gateway.key"}
    # Without the authority's key: nobody can make one more certificate.
    assert {file.name for file in folder.iterdir()} == names
    cluster.stop()
    assert not folder.exists()


def test_killed_node_comes_back_encrypted(martlet, start):
    cluster = start(nodes={"tls": True})
    victim = cluster.nodes()["node-1"]
    os.kill(victim["pid"], signal.SIGKILL)

    def restarted():
        node = cluster.nodes()["node-1"]
        return node["pid"] != victim["pid"] and node["state"] == "ready"

    await_until(restarted, "node-1 to be ready again", 30)
    assert_closed_to_strangers(cluster)
    await_healthy(martlet, cluster)
    cluster.assert_unharmed()


def test_killed_gateway_comes_back_and_reaches_its_nodes(start):
    cluster = start(nodes={"tls": True})
    victim = cluster.state()["gateway"]["pid"]
    os.kill(victim, signal.SIGKILL)
    await_until(
        lambda: cluster.state()["gateway"]["pid"] not in (None, victim), "the gateway to start", 30
    )
    cluster.await_http(cluster.admin_address, "/healthz/ready")
    cluster.assert_unharmed()


def test_certificates_of_a_folder_are_used_and_stay(martlet, start):
    made = Certificates(martlet, start.folder)
    made.node("--out", "node")
    made.client("gateway")
    cluster = start(nodes={"tls": "certs"})
    assert cluster.state()["certificates"] == str(start.folder / "certs")
    cluster.assert_unharmed()
    assert_closed_to_strangers(cluster)
    cluster.stop()
    assert (start.folder / "certs" / "ca.key").exists()


def test_folder_without_certificates_is_refused(martlet, start):
    refusal = refused_start(martlet, start, nodes={"tls": "nowhere"})
    assert refusal.returncode == 78, refusal.stderr
    assert "nodes.tls" in refusal.stderr
    assert "gateway.pem" in refusal.stderr


def test_policy_asks_for_keys(martlet, start):
    made = martlet.run("key", "new", "--id", "alice", "--tenant", "team-a")
    assert made.returncode == 0, made.stderr
    key = made.stderr.strip().splitlines()[-1]
    (start.folder / "keys.yaml").write_text(f"keys:\n{made.stdout}", encoding="utf-8")
    cluster = start(nodes={"tls": True}, policy={"access": {"api_keys_file": "keys.yaml"}})
    url = f"http://{cluster.address}{PREDICT}"
    code, status, _ = curl("--data", BODY, url)
    assert (code, status) == (0, 401)
    code, status, body = curl("--header", f"x-api-key: {key}", "--data", BODY, url)
    assert (code, status) == (0, 200), body
    assert "2.5" in body


def test_policy_encrypts_towards_clients(martlet, start):
    made = Certificates(martlet, start.folder)
    cluster = start(nodes={"tls": True}, policy={"tls": tls(made.node())})
    with secure_rest(cluster.address, made) as rest, secure_grpc(cluster.address, made) as grpc:
        assert_unharmed(
            types.SimpleNamespace(rest=rest, grpc=grpc, assert_running=cluster.assert_running)
        )
    printed = await_until(lambda: cluster.output.read_text(encoding="utf-8"), "the table")
    assert f"https://{cluster.address}" in printed


def test_changed_policy_keeps_the_nodes(start):
    cluster = start(nodes={"tls": True}, policy={"cache": {"memory_bytes": "1MiB"}})
    cluster.assert_unharmed()
    policy = start.folder / "gateway.yaml"
    route = {"name": "all", "headers": {"response": {"set": {"x-policy": "changed"}}}}
    policy.with_suffix(".new").write_text(json.dumps({"routes": [route]}), encoding="utf-8")
    os.replace(policy.with_suffix(".new"), policy)

    def follows():
        url = f"http://{cluster.address}{PREDICT}"
        code, status, shown = curl("--include", "--data", BODY, url)
        assert (code, status) == (0, 200), shown
        return "x-policy: changed" in shown

    await_until(follows, "the gateway to follow its policy")
    cluster.assert_unharmed()


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ("routes:\n  - {name: r, pool: mian}\n", r"gateway\.yaml:2:21: routes\[0\]\.pool: "),
        ("endpoints: [127.0.0.1:8501]\n", r"gateway\.yaml:1:12: endpoints: "),
        ("listen: {port: 9000}\n", r"gateway\.yaml:1:9: listen: .*cluster"),
    ],
)
def test_bad_policy_is_refused_with_its_place_before_anything_starts(martlet, start, policy, place):
    refusal = refused_start(martlet, start, policy=policy, nodes={"tls": True})
    assert refusal.returncode == 78, refusal.stderr
    assert re.search(place, refusal.stderr), refusal.stderr
    # Nothing was started, and the certificates are gone.
    assert list(start.temporary.iterdir()) == []


def test_doctor_looks_at_the_policy_of_a_cluster(martlet, start):
    answer = start(
        command=lambda file, **options: martlet.run("doctor", "-c", file, **options),
        policy="routes:\n  - {name: r, pool: mian}\n",
        nodes={"tls": True},
    )
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "routes[0].pool" in answer.stdout


def test_doctor_asks_nodes_with_a_certificate(martlet, start):
    cluster = start(nodes={"tls": True})

    def ask(*flags):
        answer = martlet.run("doctor", "--json", "--watch-seconds", "0.2", *flags)
        return {check["check"]: check for check in json.loads(answer.stdout)["checks"]}

    for node in cluster.nodes().values():
        flags = ("--node", f"https://{node['address']}", *credentials(cluster))
        checks = ask(*flags)
        assert "engine 1" in checks["threads"]["found"]
        assert "threads ran" in checks["scheduling"]["found"]
        # Without a certificate a node tells nothing.
        assert ask(*flags[:4])["node"]["result"] == "fail"
