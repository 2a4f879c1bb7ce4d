"""Who gets through the gateway: TLS, certificates, API keys, tokens; and what the logs tell."""

import base64
import contextlib
import datetime
import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import time

import grpc
import pytest
from harness.certificates import Certificates, curl, secure_grpc, secure_rest, tls
from harness.clients import (
    SECONDS,
    RestClient,
    assert_rest_error,
    assert_unharmed,
    predict_request,
    refused,
)
from harness.http1 import RawConnection
from harness.models import fixture
from harness.policies import change, follow, pool
from harness.tensors import tensor
from harness.tokens import SigningKey, base64url, key_set, signing_input
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)

PREDICT = "/v1/models/half_plus_two:predict"
OTHER = "/v1/models/other:predict"
BODY = '{"instances": [1.0]}'
ONE = {"x": tensor("float", [1.0])}

ALICE = "mk_alice-3Jq9rXoHnB7vS1kYwLz5"
BOB = "mk_bob-8Wc2TgUeP0aFdM6iRxQ4"


@pytest.fixture(scope="module")
def node(module_martlet):
    return module_martlet.serve(
        {name: fixture("half_plus_two") for name in ("half_plus_two", "other")}
    )


# TLS


@pytest.fixture
def certificates(martlet, tmp_path):
    return Certificates(martlet, tmp_path / "own")


@pytest.fixture
def strangers(martlet, tmp_path):
    """An authority that nobody trusts."""
    return Certificates(martlet, tmp_path / "strange")


def handshake(address, *flags):
    """What openssl tells of a handshake; `None` if there was none."""
    ended = subprocess.run(
        ["openssl", "s_client", "-connect", address, "-servername", "localhost", *map(str, flags)],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # Without a cipher, openssl says so, and that it has a session nevertheless.
    return ended.stdout if "Cipher is (NONE)" not in ended.stdout and ended.stdout else None


def test_nothing_older_than_tls_1_3_is_spoken_by_default(martlet, node, certificates):
    gateway = follow(martlet, {"tls": tls(certificates.node()), "pools": [pool("main", node)]})
    for version in ("-tls1", "-tls1_1", "-tls1_2"):
        assert handshake(gateway.address, version, "-cipher", "ALL:@SECLEVEL=0") is None
    shown = handshake(gateway.address, "-tls1_3", "-CAfile", certificates.certificate)
    assert "TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384" in shown
    assert "Verify return code: 0 (ok)" in shown
    assert curl(f"http://{gateway.address}/healthz/live")[1] == 0
    assert_served(gateway, certificates)


def test_tls_1_2_is_spoken_when_asked(martlet, node, certificates):
    settings = tls(certificates.node(), minimum_version="tls1.2")
    gateway = follow(martlet, {"tls": settings, "pools": [pool("main", node)]})
    assert "TLSv1.2, Cipher is ECDHE-" in handshake(gateway.address, "-tls1_2")
    assert "TLSv1.3, Cipher is" in handshake(gateway.address)
    assert handshake(gateway.address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") is None
    assert_served(gateway, certificates)


class Secure:
    """Both clients of one gateway, trusting one authority."""

    def __init__(self, gateway, rest, grpc_client):
        self.assert_running = gateway.assert_running
        self.rest = rest
        self.grpc = grpc_client


@contextlib.contextmanager
def secure(gateway, authority, client=None):
    with (
        secure_rest(gateway.address, authority, client) as rest,
        secure_grpc(gateway.address, authority, client) as grpc_client,
    ):
        yield Secure(gateway, rest, grpc_client)


def assert_served(gateway, authority, client=None):
    with secure(gateway, authority, client) as clients:
        assert_unharmed(clients)
    shown = ("--cert", client[0], "--key", client[1]) if client else ()
    for version in ("--http1.1", "--http2"):
        url = f"https://{gateway.address}{PREDICT}"
        trust = ("--cacert", authority.certificate)
        code, status, body = curl(version, *trust, *shown, "-d", BODY, url)
        assert (code, status) == (0, 200), body
        assert json.loads(body) == {"predictions": [2.5]}


def assert_turned_away(gateway, authority, client=None):
    shown = ("--cert", client[0], "--key", client[1]) if client else ()
    url = f"https://{gateway.address}{PREDICT}"
    assert curl("--cacert", authority.certificate, *shown, "-d", BODY, url)[1] == 0
    with (
        secure_grpc(gateway.address, authority, client) as clients,
        refused(grpc.StatusCode.UNAVAILABLE),
    ):
        clients.check()


def serial(text):
    return subprocess.run(
        ["openssl", "x509", "-noout", "-serial"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_new_certificate_is_shown_without_a_restart(martlet, node, certificates):
    pair = certificates.node()
    gateway = follow(martlet, {"tls": tls(pair), "pools": [pool("main", node)]})
    before = serial(pair[0].read_text())
    assert serial(handshake(gateway.address)) == before
    with secure(gateway, certificates) as kept:
        assert_unharmed(kept)
        certificates.node("--force")
        renewed = serial(pair[0].read_text())
        assert renewed != before
        await_until(lambda: serial(handshake(gateway.address)) == renewed, "the new certificate")
        assert_unharmed(kept)
    assert_served(gateway, certificates)


def test_clients_must_show_a_certificate_when_asked(martlet, node, certificates, strangers):
    settings = tls(
        certificates.node(),
        client_certificates="required",
        client_ca_file=str(certificates.certificate),
    )
    gateway = follow(martlet, {"tls": settings, "pools": [pool("main", node)]})
    assert_turned_away(gateway, certificates)
    assert_turned_away(gateway, certificates, strangers.client("eve"))
    assert_served(gateway, certificates, certificates.client("alice"))


def checking(certificates, **settings):
    return tls(
        certificates.node(),
        client_ca_file=str(certificates.certificate),
        revocation_file=str(certificates.folder / "certs" / "crl.pem"),
        **settings,
    )


def test_revoked_certificates_are_turned_away(martlet, node, certificates, strangers):
    alice, mallory = certificates.client("alice"), certificates.client("mallory")
    certificates.run("revoke", mallory[0])
    settings = checking(certificates, client_certificates="required", minimum_version="tls1.2")
    gateway = follow(martlet, {"tls": settings, "pools": [pool("main", node)]})
    assert_served(gateway, certificates, alice)
    assert_turned_away(gateway, certificates, mallory)
    assert_turned_away(gateway, certificates, strangers.client("eve"))
    assert_turned_away(gateway, certificates)
    # Within the handshake of TLS 1.2, and so before anything else is read, an alert says so.
    shown = ("--cert", mallory[0], "--key", mallory[1])
    told = subprocess.run(
        [
            *("curl", "--verbose", "--tls-max", "1.2", "--noproxy", "*"),
            *("--cacert", str(certificates.certificate), *map(str, shown)),
            f"https://{gateway.address}/",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.search("alert.* certificate.?unknown", told.stderr, re.IGNORECASE), told.stderr
    assert any("its certificate is revoked" in line for line in gateway.log_lines())


def test_certificates_revoked_later_are_turned_away_without_a_restart(martlet, node, certificates):
    alice, mallory = certificates.client("alice"), certificates.client("mallory")
    certificates.run("crl")
    settings = checking(certificates, client_certificates="required")
    gateway = follow(martlet, {"tls": settings, "pools": [pool("main", node)]})
    assert_served(gateway, certificates, mallory)
    certificates.run("revoke", mallory[0])
    await_until(
        lambda: any("certificate read" in line for line in gateway.log_lines()), "the new list"
    )
    assert_turned_away(gateway, certificates, mallory)
    assert_served(gateway, certificates, alice)
    # A list that is broken changes nothing.
    (certificates.folder / "certs" / "crl.pem").write_text("nothing\n", encoding="utf-8")
    await_until(
        lambda: any("crl.pem" in line and "error" in line for line in gateway.log_lines()),
        "the mistake to be told",
    )
    assert_turned_away(gateway, certificates, mallory)
    assert_served(gateway, certificates, alice)


def test_lists_of_strangers_end_the_start(martlet, node, certificates, strangers, tmp_path):
    strangers.run("crl")
    foreign = strangers.folder / "certs" / "crl.pem"
    settings = checking(certificates, client_certificates="required")
    policy = {
        "tls": settings | {"revocation_file": str(foreign)},
        "pools": [pool("main", node)],
    }
    written = tmp_path / "gateway.yaml"
    written.write_text(json.dumps(policy), encoding="utf-8")
    ended = martlet.run("gateway", "--config", written, "--port", 0, "--admin-port", 0)
    assert ended.returncode != 0
    assert str(foreign) in ended.stderr, ended.stderr


def test_nodes_are_spoken_to_by_mutual_tls(martlet, certificates):
    server, shown = certificates.node(), certificates.client("gateway")
    node = martlet.serve(
        ("half_plus_two",),
        *("--tls-certificate", server[0], "--tls-key", server[1]),
        *("--tls-client-ca", certificates.certificate),
        ready=None,
    )
    secure = {
        "ca_file": str(certificates.certificate),
        "certificate_file": str(shown[0]),
        "key_file": str(shown[1]),
    }
    gateway = follow(martlet, {"pools": [pool("main", node.address, tls=secure)]})
    # By REST and by gRPC.
    assert_unharmed(gateway)


def write_credentials(path, credentials):
    staging = path.with_suffix(".new")
    text = credentials if isinstance(credentials, str) else json.dumps(credentials, indent=1)
    staging.write_text(text, encoding="utf-8")
    os.replace(staging, path)
    return str(path)


TENANTS = [{"name": "imaging"}, {"name": "fraud"}, {"name": "gone", "disabled": True}]


def test_names_in_certificates_say_whose_requests_they_are(martlet, node, certificates, tmp_path):
    file = write_credentials(
        tmp_path / "credentials.yaml",
        {
            "tenants": TENANTS,
            "certificates": [
                {
                    "name": "edge",
                    "uri": "spiffe://martlet/tenant/edge-*",
                    "tenant": "imaging",
                    "scope": {"models": ["half_plus_two"]},
                },
                {"name": "mail", "email": "*@example.com", "tenant": "fraud"},
                {"name": "old", "dns": "old.example.com", "tenant": "gone"},
            ],
        },
    )
    settings = tls(
        certificates.node(),
        client_certificates="required",
        client_ca_file=str(certificates.certificate),
    )
    policy = {
        "tls": settings,
        "access": {"api_keys_file": file},
        "pools": [pool("main", node)],
    }
    gateway = follow(martlet, policy)

    def ask(client, path=PREDICT, **fields):
        with secure_rest(gateway.address, certificates, client) as rest:
            return rest.post(path, BODY, headers=fields)

    edge = certificates.client("edge", "--tenant", "edge-1")
    mail = certificates.client("mail", "--email", "bob@example.com")
    old = certificates.client("old", "--dns", "old.example.com")
    unknown = certificates.client("unknown")
    assert_served(gateway, certificates, edge)
    assert_rest_error(ask(edge, OTHER), 403, re.compile("other"))
    assert ask(mail, OTHER).status_code == 200
    assert ask(old).status_code == 403
    assert ask(unknown).status_code == 401
    # Who shows a key that is not good is refused, whatever the certificate.
    assert ask(edge, Authorization="Bearer wrong").status_code == 401
    with secure_grpc(gateway.address, certificates, edge) as client:
        client.predict("half_plus_two", ONE)
        with refused(grpc.StatusCode.PERMISSION_DENIED, re.compile("other")):
            client.predict("other", ONE)


def test_clients_without_a_certificate_may_show_a_key_where_it_is_optional(
    martlet, node, certificates, strangers, keyed_policy
):
    settings = tls(
        certificates.node(),
        client_certificates="optional",
        client_ca_file=str(certificates.certificate),
    )
    alice = {"name": "alice", "uri": "spiffe://martlet/tenant/imaging", "tenant": "imaging"}
    policy = keyed_policy([key("alice", ALICE)], certificates=[alice])
    gateway = follow(martlet, {"tls": settings, **policy})
    with secure_rest(gateway.address, certificates) as rest:
        assert rest.post(PREDICT, BODY).status_code == 401
        assert rest.post(PREDICT, BODY, headers={"X-API-Key": ALICE}).status_code == 200
    shown = certificates.client("alice", "--tenant", "imaging")
    with secure_rest(gateway.address, certificates, shown) as rest:
        assert rest.post(PREDICT, BODY).status_code == 200
    assert_turned_away(gateway, certificates, strangers.client("eve"))


# API keys


def digest(secret):
    return hashlib.sha256(secret.encode()).hexdigest()


def key(name, secret, tenant="imaging", **more):
    return {"id": name, "sha256": digest(secret), "tenant": tenant, **more}


@pytest.fixture
def keyed_policy(node, tmp_path):
    """A policy that wants keys, of a file in the test's folder."""
    file = tmp_path / "credentials.yaml"

    def make(keys, **more):
        write_credentials(file, {"tenants": TENANTS, "keys": keys, **more})
        return {"access": {"api_keys_file": str(file)}, "pools": [pool("main", node)]}

    return make


@pytest.fixture(scope="module")
def shared(module_martlet, node):
    """A gateway whose policy and credentials each test writes anew."""
    return follow(module_martlet, {"pools": [pool("main", node)]})


@pytest.fixture
def keyed(shared, keyed_policy):
    """Has the shared gateway ask for keys."""

    def set_up(*keys, **more):
        change(shared, keyed_policy(list(keys), **more))
        return shared

    return set_up


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def grpc_predict(gateway, model="half_plus_two", *metadata):
    request = predict_request(model, ONE)
    return gateway.grpc.prediction.Predict(request, metadata=metadata, timeout=SECONDS)


@pytest.mark.parametrize(
    "fields",
    [
        {"Authorization": f"Bearer {ALICE}"},
        {"authorization": f"bearer {ALICE}"},
        {"X-API-Key": ALICE},
        {"x-api-key": ALICE, "Authorization": "Bearer wrong"},
    ],
)
def test_keys_let_in_by_every_name_they_have(keyed, fields):
    gateway = keyed(key("alice", ALICE))
    assert gateway.rest.post(PREDICT, BODY, headers=fields).json() == {"predictions": [2.5]}
    metadata = [(name.lower(), value) for name, value in fields.items()]
    grpc_predict(gateway, "half_plus_two", *metadata)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {base64.b64encode(ALICE.encode()).decode()}"},
        {"Authorization": ALICE},
        {"Authorization": "Bearer"},
        {"X-API-Key": ALICE[:-1]},
        {"X-API-Key": ""},
        {"X-API-Key": "wrong", "Authorization": f"Bearer {ALICE}"},
        {"X-API-Key": digest(ALICE)},
    ],
)
def test_requests_without_a_good_key_are_refused(keyed, fields):
    gateway = keyed(key("alice", ALICE))
    response = gateway.rest.post(PREDICT, BODY, headers=fields)
    assert_rest_error(response, 401, re.compile("."))
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert ALICE not in response.text
    metadata = [(name.lower(), value) for name, value in fields.items()]
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        grpc_predict(gateway, "half_plus_two", *metadata)


def test_two_different_keys_in_one_request_let_nobody_in(keyed):
    gateway = keyed(key("alice", ALICE))
    url = f"http://{gateway.address}{PREDICT}"
    twice = ("-H", "X-API-Key: wrong", "-H", f"X-API-Key: {ALICE}")
    assert curl(*twice, "-d", BODY, url)[1] == 401


CHAT = f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nX-API-Key: {ALICE}\r\n"
# Requests that end before all of the body has come by which they are decided on.
UNFINISHED = {
    "a chunk without a size": ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "a chunk without its end": ("Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
    "a length beyond all": ("Content-Length: 99999999999\r\n\r\n", 413),
    "the client hangs up": ("Content-Length: 10\r\n\r\n{", None),
}


@pytest.mark.parametrize("way", UNFINISHED)
def test_requests_that_end_before_their_body_give_their_quota_back(keyed, node, way):
    rest, status = UNFINISHED[way]
    gateway = keyed(key("alice", ALICE, quotas={"concurrent": 2}))
    policy = json.loads(gateway.policy.path.read_text(encoding="utf-8"))
    named = {"name": "named", "pool": "main", "match": {"models": ["half_plus_two"]}}
    change(gateway, {**policy, "routes": [named]})
    for _ in range(4):
        with RawConnection(gateway.address) as connection:
            connection.send((CHAT + rest).encode())
            if status is not None:
                assert connection.read_response().status == status

    def answer():
        body = {"model": "unknown", "messages": []}
        return gateway.rest.post("/v1/chat/completions", body, headers=bearer(ALICE)).status_code

    # Without a route; a key that is held for ever would answer with 429.
    await_until(lambda: answer() == 404, "the key to have room again")
    assert [answer() for _ in range(4)] == [404] * 4


@pytest.mark.parametrize("path", ["/healthz/live", "/healthz/ready", "/v2/health/ready"])
def test_health_needs_no_key(keyed, path):
    gateway = keyed(key("alice", ALICE))
    assert gateway.rest.get(path).status_code == 200
    assert gateway.grpc.check().status == 1


def test_keys_open_only_the_models_of_their_scope(keyed):
    gateway = keyed(key("alice", ALICE, scope={"models": ["half_*"]}))
    shown = {"headers": bearer(ALICE)}
    assert gateway.rest.post(PREDICT, BODY, **shown).status_code == 200
    infer = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}
    for path, body in (
        (OTHER, BODY),
        ("/v1/models/other/versions/1:predict", BODY),
        ("/V1/models/other:PREDICT", BODY),
        ("/v2/models/other/infer", infer),
    ):
        assert_rest_error(gateway.rest.post(path, body, **shown), 403, re.compile("other"))
    chat = gateway.rest.post("/v1/chat/completions", {"model": "other", "messages": []}, **shown)
    assert chat.status_code == 403
    assert "other" in chat.json()["error"]["message"]
    assert_rest_error(gateway.rest.get("/v1/models/other", **shown), 403, re.compile("other"))
    metadata = ("authorization", f"Bearer {ALICE}")
    grpc_predict(gateway, "half_plus_two", metadata)
    with refused(grpc.StatusCode.PERMISSION_DENIED, re.compile("other")):
        grpc_predict(gateway, "other", metadata)


def test_keys_open_only_what_their_verbs_say(keyed):
    gateway = keyed(
        key("alice", ALICE, scope={"verbs": ["metadata"]}),
        key("bob", BOB, scope={"verbs": ["any"]}),
    )
    metadata = "/v1/models/half_plus_two/metadata"
    assert gateway.rest.get(metadata, headers=bearer(ALICE)).status_code == 200
    refusal = gateway.rest.post(PREDICT, BODY, headers=bearer(ALICE))
    assert_rest_error(refusal, 403, re.compile("predict"))
    assert gateway.rest.get("/none", headers=bearer(ALICE)).status_code == 403
    assert gateway.rest.get("/none", headers=bearer(BOB)).status_code == 404
    assert gateway.rest.post(PREDICT, BODY, headers=bearer(BOB)).status_code == 200


def test_what_is_not_known_needs_the_verb_admin(keyed):
    gateway = keyed(key("alice", ALICE))
    load = "/v2/repository/models/half_plus_two/load"
    assert gateway.rest.post(load, "{}", headers=bearer(ALICE)).status_code == 403
    assert gateway.rest.get("/none", headers=bearer(ALICE)).status_code == 403
    with refused(grpc.StatusCode.PERMISSION_DENIED):
        gateway.grpc.channel.unary_unary(
            "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
        )(b"", timeout=SECONDS, metadata=[("x-api-key", ALICE)])


def test_keys_beyond_their_quota_are_told_when_to_come_back(keyed):
    gateway = keyed(
        key("alice", ALICE, quotas={"requests_per_second": 0.2, "burst": 2}), key("bob", BOB)
    )
    answers = [gateway.rest.post(PREDICT, BODY, headers=bearer(ALICE)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Remaining"] == "1"
    assert answers[1].headers["RateLimit-Remaining"] == "0"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 5
    assert_rest_error(answers[2], 429, re.compile("."))
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        grpc_predict(gateway, "half_plus_two", ("x-api-key", ALICE))
    # Another's requests are none of hers.
    assert gateway.rest.post(PREDICT, BODY, headers=bearer(BOB)).status_code == 200


def test_keys_of_a_tenant_share_its_quota_and_each_model_has_its_own(keyed):
    slow = {"requests_per_second": 0.1, "burst": 1}
    gateway = keyed(
        key("alice", ALICE, "fraud"),
        key("bob", BOB, "fraud", quotas={"models": {"*": slow}}),
        key("carol", "mk_carol", "imaging"),
        tenants=[
            {"name": "fraud", "quotas": {"requests_per_second": 0.1, "burst": 3}},
            {"name": "imaging"},
        ],
    )

    def ask(secret, path=PREDICT):
        return gateway.rest.post(path, BODY, headers=bearer(secret)).status_code

    assert (ask(BOB), ask(BOB), ask(BOB, OTHER)) == (200, 429, 200)
    assert (ask(ALICE), ask(ALICE), ask(BOB)) == (200, 429, 429)
    assert ask("mk_carol") == 200


def test_expired_and_disabled_keys_are_refused(keyed):
    now = datetime.datetime.now(datetime.UTC)
    today = (now - datetime.timedelta(days=1)).strftime("%Y-%m-%d")
    soon = (now + datetime.timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    gateway = keyed(
        key("expired", "expired", expires=today),
        key("expiring", "expiring", expires=soon),
        key("disabled", "disabled", disabled=True),
        key("of-none", "of-none", "gone"),
        key("alice", ALICE, expires="2999-01-01"),
    )

    def ask(secret):
        return gateway.rest.post(PREDICT, BODY, headers=bearer(secret)).status_code

    assert ask(ALICE) == 200
    assert (ask("expired"), ask("disabled"), ask("of-none")) == (401, 401, 403)
    assert ask("expiring") == 200
    await_until(lambda: ask("expiring") == 401, "the key to expire", 15, 0.2)


def test_credentials_are_read_again_and_a_mistake_changes_nothing(keyed, tmp_path):
    gateway = keyed(key("alice", ALICE))
    file = tmp_path / "credentials.yaml"

    def ask(secret):
        return gateway.rest.post(PREDICT, BODY, headers=bearer(secret)).status_code

    assert (ask(ALICE), ask(BOB)) == (200, 401)
    write_credentials(file, "keys:\n  - id: bob\n    sha265: abc\n    tenant: imaging\n")
    await_until(
        lambda: any("credentials.yaml:3:5" in line for line in gateway.log_lines()), "the mistake"
    )
    assert (ask(ALICE), ask(BOB)) == (200, 401)
    write_credentials(file, {"keys": [key("bob", BOB)]})
    await_until(lambda: ask(BOB) == 200, "the new key", 5)
    assert ask(ALICE) == 401


def test_credentials_with_a_mistake_end_the_start(martlet, node, tmp_path):
    file = tmp_path / "credentials.yaml"
    file.write_text("keys:\n  - id: bob\n    sha265: abc\n    tenant: imaging\n", encoding="utf-8")
    policy = {"access": {"api_keys_file": str(file)}, "pools": [pool("main", node)]}
    written = tmp_path / "gateway.yaml"
    written.write_text(json.dumps(policy), encoding="utf-8")
    ended = martlet.run("gateway", "--config", written, "--port", 0, "--admin-port", 0)
    assert ended.returncode == 78, ended.stderr
    assert re.search(r"credentials\.yaml:3:5: .*sha256", ended.stderr), ended.stderr


def test_keys_that_the_command_makes_are_good(martlet, keyed, tmp_path):
    gateway = keyed(key("alice", ALICE))
    made = martlet.run("key", "new", "--id", "ci", "--tenant", "imaging", "--model", "half_*")
    assert made.returncode == 0, made.stderr
    secret = re.search(r"^mk_\S+$", made.stderr, re.MULTILINE).group()
    assert secret not in made.stdout
    write_credentials(tmp_path / "credentials.yaml", f"keys:\n{made.stdout}")
    shown = {"headers": bearer(secret)}
    await_until(
        lambda: gateway.rest.post(PREDICT, BODY, **shown).status_code == 200, "the new key", 5
    )
    assert gateway.rest.post(OTHER, BODY, **shown).status_code == 403


# Tokens

ISSUER, AUDIENCE = "https://login.example.com", "martlet"


@pytest.fixture
def signing(tmp_path):
    return SigningKey(tmp_path, "first")


def good(signing, **claims):
    return signing.token(**({"iss": ISSUER, "aud": AUDIENCE, "sub": "imaging"} | claims))


@pytest.fixture
def tokened(shared, node, tmp_path):
    """Has the shared gateway take tokens that these keys sign."""

    def set_up(*keys, **issuer):
        file = tmp_path / "keys.json"
        write_credentials(file, key_set(*keys))
        entry = {
            "name": "login",
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "jwks_file": str(file),
            **issuer,
        }
        credentials = tmp_path / "credentials.yaml"
        write_credentials(credentials, {"issuers": [entry]})
        access = {"api_keys_file": str(credentials)}
        change(shared, {"access": access, "pools": [pool("main", node)]})
        return shared

    return set_up


def status_with(gateway, secret, path=PREDICT):
    return gateway.rest.post(path, BODY, headers=bearer(secret)).status_code


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_tokens_of_the_issuer_let_in(tokened, tmp_path, algorithm):
    signing = SigningKey(tmp_path, "first", algorithm)
    gateway = tokened(signing)
    token = good(signing)
    assert status_with(gateway, token) == 200
    assert status_with(gateway, token) == 200
    assert status_with(gateway, good(signing, aud=["a", AUDIENCE])) == 200
    grpc_predict(gateway, "half_plus_two", ("authorization", f"Bearer {token}"))


def test_the_policy_alone_can_name_an_issuer(shared, node, signing, tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(key_set(signing), encoding="utf-8")
    jwt = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(file)}
    change(shared, {"access": {"jwt": jwt}, "pools": [pool("main", node)]})
    assert status_with(shared, good(signing)) == 200
    assert status_with(shared, good(signing, aud="other")) == 401


def forgeries(signing):
    """Tokens that are not good, by what is wrong with them."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "imaging"}
    head, body, signature = good(signing).split(".")
    unsigned = signing_input({"alg": "none"}, claims)
    shared = signing_input({"alg": "HS256", "kid": signing.name}, claims)
    mac = hmac.new(signing.pem(), shared.encode(), hashlib.sha256).digest()
    return {
        "expired": good(signing, exp=now - 120),
        "without an end": good(signing, exp=None),
        "not valid yet": good(signing, nbf=now + 120),
        "of another issuer": good(signing, iss="https://evil.example.com"),
        "for another audience": good(signing, aud="other"),
        "without an audience": good(signing, aud=None),
        "without a tenant": good(signing, sub=None),
        "unsigned": f"{unsigned}.",
        "signed with the public key": f"{shared}.{base64url(mac)}",
        "changed": f"{head}.{signing_input({}, claims).split('.')[1]}x.{signature}",
        "with half a signature": f"{head}.{body}.{signature[: len(signature) // 2]}",
        "critical": good(signing, header={"crit": ["x"], "x": 1}),
        "of another type": good(signing, header={"typ": "secevent+jwt"}),
        "of an unknown key": good(signing, header={"kid": "unknown"}),
        "in four parts": good(signing) + ".x",
        "empty": "..",
    }


def test_tokens_that_are_not_good_are_refused(tokened, signing):
    gateway = tokened(signing)
    assert status_with(gateway, good(signing)) == 200
    answers = {}
    for name, token in forgeries(signing).items():
        response = gateway.rest.post(PREDICT, BODY, headers=bearer(token))
        answers[name] = response.status_code
        assert response.headers.get("WWW-Authenticate", "").startswith("Bearer"), name
    assert answers == dict.fromkeys(answers, 401)
    assert status_with(gateway, good(signing)) == 200


def test_keys_of_another_type_verify_nothing(tokened, tmp_path):
    published = SigningKey(tmp_path, "first")
    forger = SigningKey(tmp_path, "forger")
    gateway = tokened(published)
    assert status_with(gateway, good(forger, header={"kid": "first"})) == 401
    ec = SigningKey(tmp_path, "ec", "ES256")
    assert status_with(gateway, good(ec, header={"kid": "first"})) == 401


def test_issuers_keys_are_rotated_without_a_restart(tokened, signing, tmp_path):
    gateway = tokened(signing)
    second = SigningKey(tmp_path, "second")
    old, new = good(signing), good(second)
    assert (status_with(gateway, old), status_with(gateway, new)) == (200, 401)
    file = tmp_path / "keys.json"
    write_credentials(file, key_set(signing, second))
    await_until(lambda: status_with(gateway, new) == 200, "the new key", 5)
    assert status_with(gateway, old) == 200
    write_credentials(file, key_set(second))
    await_until(lambda: status_with(gateway, old) == 401, "the old key to be gone", 5)
    assert status_with(gateway, new) == 200
    write_credentials(file, '{"keys": [')
    await_until(
        lambda: any("keys.json" in line and "error" in line for line in gateway.log_lines()),
        "the mistake to be told",
    )
    assert status_with(gateway, good(second)) == 200


def test_tokens_say_what_they_may_ask_for(tokened, signing):
    gateway = tokened(signing, scope_claim="scope")
    words = "openid martlet:predict martlet:model:half_*"
    assert status_with(gateway, good(signing, scope=words)) == 200
    assert status_with(gateway, good(signing, scope=words), OTHER) == 403
    assert status_with(gateway, good(signing, scope="martlet:status")) == 403
    assert status_with(gateway, good(signing, scope="openid")) == 403
    assert status_with(gateway, good(signing)) == 403


# Logs and the admin port


def test_logs_tell_no_secret(martlet, node, certificates, signing, tmp_path):
    pair = certificates.node()
    keys = tmp_path / "keys.json"
    keys.write_text(key_set(signing), encoding="utf-8")
    admin = tmp_path / "admin.token"
    admin.write_text("admin-secret-0123456789\n", encoding="utf-8")
    credentials = write_credentials(
        tmp_path / "credentials.yaml",
        {
            "tenants": TENANTS,
            "keys": [key("alice", ALICE, quotas={"requests_per_second": 1, "burst": 1})],
            "issuers": [
                {
                    "name": "login",
                    "issuer": ISSUER,
                    "audiences": [AUDIENCE],
                    "jwks_file": str(keys),
                }
            ],
        },
    )
    policy = {
        "tls": tls(pair),
        "admin": {"token_file": str(admin)},
        "access": {"api_keys_file": credentials},
        "pools": [pool("main", node)],
    }
    gateway = follow(martlet, policy, "--log-level", "trace")
    token, wrong = good(signing), "mk_wrong-Zx81Qp"
    told = []
    with secure_rest(gateway.address, certificates) as rest:
        for secret in (ALICE, ALICE, token, wrong, f"{token}x"):
            for fields in (bearer(secret), {"X-API-Key": secret}):
                told.append(rest.post(PREDICT, BODY, headers=fields))
        told.append(rest.post(f"{PREDICT}?api_key={wrong}", BODY))
    for secret in ("admin-secret-0123456789", wrong):
        told.append(gateway.admin.post("/v1/policy:reload", "", headers=bearer(secret)))
    assert {answer.status_code for answer in told} == {200, 401, 429}
    gateway.stop()
    secrets = [ALICE, token, token.split(".")[2], wrong, "admin-secret-0123456789"]
    secrets += [line for line in pair[1].read_text().splitlines() if "-" not in line and line]
    written = gateway.log.read_text() + gateway.output.read_text()
    written += "".join(answer.text + str(answer.headers) for answer in told)
    assert [secret for secret in secrets if secret in written] == []
    assert written.count('"status":401') >= 4


def test_admin_port_wants_its_token_of_who_changes_something(martlet, node, tmp_path):
    file = tmp_path / "admin.token"
    file.write_text("secret-of-operators\n", encoding="utf-8")
    policy = {"admin": {"token_file": str(file)}, "pools": [pool("main", node)]}
    gateway = follow(martlet, policy)
    reload = "/v1/policy:reload"
    for fields in ({}, bearer("wrong"), {"Authorization": "secret-of-operators"}):
        answer = gateway.admin.post(reload, "", headers=fields)
        assert_rest_error(answer, 401, re.compile("token"))
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    rollback = "/v1/routes/default/canary:rollback"
    assert gateway.admin.post(rollback, "").status_code == 401
    shown = {"headers": bearer("secret-of-operators")}
    assert gateway.admin.post(reload, "", **shown).status_code == 200
    assert gateway.admin.post(rollback, "", **shown).status_code == 404
    for path in ("/metrics", "/healthz/ready", "/v1/endpoints", "/v1/policy"):
        assert gateway.admin.get(path).status_code == 200
    # What operators may do is not to be had on the port for clients.
    reloads = log_count(gateway, "policy read again")
    assert gateway.rest.post(reload, "", **shown).status_code >= 400
    assert gateway.rest.get("/v1/policy", **shown).status_code >= 400
    assert log_count(gateway, "policy read again") == reloads == 1


def log_count(gateway, text):
    return sum(text in line for line in gateway.log_lines())


def own_address():
    """An address of this machine beyond the loopback interface, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: a datagram's socket only looks up which way it would go.
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    return None if address.startswith(("127.", "0.")) else address


def test_admin_port_without_a_token_lets_only_its_own_machine_change_something(martlet, node):
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address beyond the loopback interface")
    policy = {"admin": {"host": "0.0.0.0"}, "pools": [pool("main", node)]}
    gateway = follow(martlet, policy)
    port = gateway.admin_address.rsplit(":", 1)[1]
    with contextlib.closing(RestClient(f"{address}:{port}")) as beyond:
        assert beyond.get("/metrics").status_code == 200
        assert beyond.post("/v1/policy:reload", "").status_code in (401, 403)
    assert gateway.admin.post("/v1/policy:reload", "").status_code == 200
