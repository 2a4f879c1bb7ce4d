"""How the gateway reaches its nodes: TLS, protocols, and the time that is left."""

import contextlib
import json
import re
import shutil
import ssl
import time

import grpc
import pytest
from harness.certificates import Certificates, curl, tls
from harness.clients import assert_unharmed, predict_request, refused
from harness.faults import well_by_its_word
from harness.grpc_nodes import CHECKS, answer_y, grpc_node, y_of
from harness.held_nodes import hanging_node
from harness.policies import follow, pool
from harness.stand_ins import stand_in
from harness.tensors import tensor
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'
ONE = {"x": tensor("float", [1.0])}


@pytest.fixture
def certificates(martlet, tmp_path):
    return Certificates(martlet, tmp_path / "own")


def secure_node(martlet, certificates):
    certificate, key = certificates.node()
    return martlet.serve(
        ("half_plus_two",), "--tls-certificate", certificate, "--tls-key", key, ready=None
    )


def trusting(certificates):
    """The section `tls` of a pool whose nodes' certificates one authority has signed."""
    return {"ca_file": str(certificates.certificate)}


def followed(martlet, policy, **options):
    """A gateway by a policy, of whose endpoints not all need be healthy."""
    path = martlet.directory / "policy.json"
    path.write_text(json.dumps(policy), encoding="utf-8")
    return martlet.gateway([], "--config", path, **options)


# TLS


@pytest.mark.parametrize("plain_comes", ["first", "last"])
def test_address_of_two_pools_is_spoken_to_by_tls_as_one_of_them_says(
    martlet, certificates, plain_comes
):
    node = secure_node(martlet, certificates)
    pools = [pool("secure", node, tls=trusting(certificates)), pool("plain", node)]
    if plain_comes == "first":
        pools.reverse()
    plain = {"name": "plain", "pool": "plain", "match": {"path_prefix": "/plain"}}
    routes = [plain, {"name": "secure", "pool": "secure"}]
    gateway = followed(martlet, {"pools": pools, "routes": routes})
    # By REST and by gRPC.
    assert_unharmed(gateway)
    assert gateway.rest.post("/plain" + PREDICT, BODY).status_code == 503


def test_authorities_of_nodes_are_read_again_when_their_file_changes(
    martlet, certificates, tmp_path
):
    node = secure_node(martlet, certificates)
    trusted = tmp_path / "trusted.pem"
    shutil.copy(Certificates(martlet, tmp_path / "others").certificate, trusted)
    policy = {"pools": [pool("main", node, tls={"ca_file": str(trusted)})]}
    gateway = followed(martlet, policy, ready="live")
    assert not gateway.endpoints()[node.address]["healthy"]
    renewed = trusted.with_suffix(".new")
    shutil.copy(certificates.certificate, renewed)
    renewed.replace(trusted)
    # The policy's text is as it was.
    gateway.await_health(node, healthy=True)
    # Where the first check came later than the change, it was ahead of the requests.
    await_until(lambda: gateway.rest.post(PREDICT, BODY).status_code == 200, "an answer")
    assert_unharmed(gateway)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_nodes_with_certificates_of_another_name_are_checked_and_asked_by_that_name(
    martlet, certificates, protocol
):
    certificates.run("node", "--host", "node.internal")
    certificate, key = certificates.pair("node.internal")
    node = martlet.serve(
        ("half_plus_two",), "--tls-certificate", certificate, "--tls-key", key, ready=None
    )
    named = trusting(certificates) | {"server_name": "node.internal"}
    checks = CHECKS | {"protocol": protocol}
    gateway = followed(martlet, {"pools": [pool("main", node, tls=named, health=checks)]})
    gateway.await_health(node, healthy=True)
    assert gateway.rest.post(PREDICT, BODY).status_code == 200


# Protocols


@contextlib.contextmanager
def node_of_http1(pair=None):
    """What answers every POST by its body, and speaks HTTP/1.1 alone; by TLS with a certificate."""

    def answer(handler, asked):
        fields = {name.lower(): value for name, value in handler.headers.items()}
        content = json.dumps({"asked": asked.decode(), "fields": fields}).encode()
        handler.send(200, content, **{"content-type": "application/json"})

    with stand_in(answer, well_by_its_word()) as node:
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, pair))
            context.set_alpn_protocols(["http/1.1"])
            # Not while it accepts, which would hold up all others.
            node.socket = context.wrap_socket(
                node.socket, server_side=True, do_handshake_on_connect=False
            )
        yield node


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
def test_node_of_http1_answers_clients_of_http2_and_stays_healthy(martlet, certificates, is_secure):
    pair = certificates.node()
    with node_of_http1(pair if is_secure else None) as node:
        settings = {"tls": trusting(certificates)} if is_secure else {}
        gateway = follow(martlet, {"tls": tls(pair), "pools": [pool("main", node, **settings)]})
        url = f"https://{gateway.address}{PREDICT}"
        for _ in range(3):
            code, status, body = curl(
                "--http2", "--cacert", certificates.certificate, "-d", BODY, url
            )
            assert (code, status) == (0, 200), body
            answer = json.loads(body)
            assert answer["asked"] == BODY
            assert answer["fields"]["host"] == gateway.address
        assert gateway.endpoints()[node.address]["healthy"]


def test_node_of_http1_stays_healthy_when_grpc_is_asked_of_it(martlet):
    with node_of_http1() as node:
        gateway = follow(martlet, {"pools": [pool("main", node)]})
        for _ in range(10):
            with refused(grpc.StatusCode.UNAVAILABLE, re.compile("does not speak HTTP/2")):
                gateway.grpc.predict("half_plus_two", ONE)
            assert gateway.endpoints()[node.address]["healthy"]
            assert gateway.rest.post(PREDICT, BODY).status_code == 200


# Time


TIMEOUT = "x-request-timeout-ms"
LATE = 0.5


def test_node_is_told_the_time_that_is_left_after_another_was_tried(martlet):
    told = []

    def answer(handler, _):
        told.append(int(handler.headers[TIMEOUT]))
        if len(told) == 1:
            time.sleep(LATE)
            handler.send(503, b"{}")
        else:
            handler.send(200, b"{}")

    with stand_in(answer, well_by_its_word()) as one, stand_in(answer, well_by_its_word()) as two:
        gateway = follow(martlet, {"pools": [pool("main", one, two)]})
        answered = gateway.rest.post(PREDICT, BODY, headers={TIMEOUT: "9000"})
        assert answered.status_code == 200, answered.text
    first, second = told
    assert 4000 < first <= 9000
    assert 0 < second <= first - 1000 * LATE


def test_node_is_told_the_time_that_is_left_of_a_grpc_call(martlet):
    told = []
    answer_well = answer_y(1.0)

    def answer(node, message, context):
        told.append(context.time_remaining())
        if len(told) == 1:
            time.sleep(LATE)
            context.abort(grpc.StatusCode.UNAVAILABLE, "full")
        return answer_well(node, message, context)

    with grpc_node(answer) as one, grpc_node(answer) as two:
        gateway = follow(martlet, {"pools": [pool("main", one, two, health=CHECKS)]})
        request = predict_request("half_plus_two", ONE)
        assert y_of(gateway.grpc.prediction.Predict(request, timeout=9.0)) == [1.0]
    first, second = told
    assert 4 < first <= 9
    # Clocks of two processes.
    assert 0 < second <= first - LATE + 0.1


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_client_of_rest_waits_no_longer_than_it_says(martlet, version):
    with hanging_node() as node:
        gateway = follow(martlet, {"pools": [pool("main", node)]})
        url = f"http://{gateway.address}{PREDICT}"
        begin = time.monotonic()
        code, status, body = curl(version, "-H", f"{TIMEOUT}: 300", "-d", BODY, url)
        assert (code, status) == (0, 504), body
        assert time.monotonic() - begin < 30
        # A client's impatience says nothing of the node.
        assert gateway.endpoints()[node.address]["healthy"]
        code, status, body = curl(version, "-H", f"{TIMEOUT}: 5s", "-d", BODY, url)
        assert (code, status) == (0, 400), body
        assert f"{TIMEOUT} is not one number of milliseconds" in body
