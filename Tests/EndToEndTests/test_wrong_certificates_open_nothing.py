"""TLS fails closed: whatever is wrong with a certificate, no request passes, on either side."""

import contextlib
import json
import socket
import ssl
import subprocess

import grpc
import pytest
from harness.authorities import CLIENT, DAY, SERVER, Issued
from harness.certificates import curl, tls
from harness.clients import refused
from harness.faults import well_by_its_word
from harness.policies import pool
from harness.stand_ins import stand_in

pytestmark = [
    pytest.mark.deadline(120),
    pytest.mark.filterwarnings("ignore:.*TLSVersion.TLSv1_1 is deprecated"),
]

PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'


class Authorities:
    """An authority that is trusted, one between it and others, and one that nobody knows."""

    def __init__(self, folder):
        self.folder = folder
        self.root = Issued(folder, "root", is_authority=True)
        self.between = self.root.issue("between", is_authority=True)
        self.stranger = Issued(folder, "stranger", is_authority=True)
        # Of the same name as the one that is trusted, and with another key.
        twin = folder / "twin"
        twin.mkdir()
        self.twin = Issued(twin, "root", is_authority=True)

    def wrong(self, side, other):
        """What both sides may show that is wrong, by what that is."""
        root = self.root
        leaf = root.issue(f"{side}-leaf")
        return {
            "expired": root.issue(f"{side}-expired", until=-DAY / 2).pair,
            "not yet valid": root.issue(f"{side}-early", since=DAY / 2).pair,
            "of a stranger": self.stranger.issue(f"{side}-strange").pair,
            "of a stranger, who is shown too": self.stranger.issue(f"{side}-stranger").with_chain(
                self.stranger
            ),
            "of an authority that has but the name": self.twin.issue(f"{side}-twin").pair,
            "self-signed": Issued(self.folder, f"{side}-self").pair,
            "for another purpose": root.issue(f"{side}-purpose", purposes=(other,)).pair,
            "without what is between": self.between.issue(f"{side}-alone").pair,
            "signed by one that is no authority": leaf.issue(f"{side}-below").with_chain(leaf),
        }

    def good(self, side, purposes):
        """What both sides may show."""
        return {
            "good": self.root.issue(f"{side}-good", purposes=purposes).pair,
            "good, with what is between": self.between.issue(
                f"{side}-between", purposes=purposes
            ).with_chain(self.between),
        }


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    return Authorities(tmp_path_factory.mktemp("authorities"))


GOOD = ["good", "good, with what is between"]
WRONG = [
    "expired",
    "not yet valid",
    "of a stranger",
    "of a stranger, who is shown too",
    "of an authority that has but the name",
    "self-signed",
    "for another purpose",
    "without what is between",
    "signed by one that is no authority",
]
WRONG_CLIENTS = [*WRONG, "revoked", "none"]
WRONG_NODES = [
    *WRONG,
    "for another host",
    "for the host and not for the address",
    "for no host",
    "asking for a certificate",
    "of TLS 1.1",
]


# Clients


@pytest.fixture(scope="module")
def clients(authorities):
    """What clients show, by what is wrong with it."""
    shown = authorities.wrong("client", SERVER) | authorities.good("client", (CLIENT,))
    revoked = authorities.root.issue("client-revoked", purposes=(CLIENT,))
    authorities.root.revocations(revoked)
    return shown | {"revoked": revoked.pair, "none": None}


@pytest.fixture(scope="module")
def asked(authorities):
    """What came to the node behind the gateway that clients need a certificate for."""
    return []


@pytest.fixture(scope="module")
def door(module_martlet, authorities, clients, asked):
    def answer(handler, body):
        asked.append(body)
        handler.send(200, b"{}")

    settings = tls(
        authorities.root.issue("door", purposes=(SERVER,)).pair,
        minimum_version="tls1.2",
        client_certificates="required",
        client_ca_file=str(authorities.root.file),
        revocation_file=str(authorities.folder / "root.crl.pem"),
    )
    with stand_in(answer, well_by_its_word()) as node:
        policy = {"tls": settings, "pools": [pool("main", node)]}
        yield follow_alone(module_martlet, "door", policy, ready="ready")


def follow_alone(martlet, name, policy, **options):
    path = martlet.directory / f"{name}.json"
    path.write_text(json.dumps(policy), encoding="utf-8")
    return martlet.gateway([], "--config", path, **options)


def ask(door, authorities, pair, *flags):
    shown = ("--cert", pair[0], "--key", pair[1]) if pair else ()
    url = f"https://{door.address}{PREDICT}"
    return curl("--cacert", authorities.root.file, *shown, *flags, "-d", BODY, url)


OLD = ssl.TLSVersion.TLSv1_1
VERSIONS = {"1.2": ("--tls-max", "1.2"), "1.3": ("--tlsv1.3",)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", GOOD)
def test_clients_with_a_good_certificate_pass(door, authorities, clients, asked, what, version):
    before = len(asked)
    assert ask(door, authorities, clients[what], *VERSIONS[version])[:2] == (0, 200)
    assert len(asked) == before + 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", WRONG_CLIENTS)
def test_clients_with_a_wrong_certificate_do_not_pass(
    door, authorities, clients, asked, what, version
):
    before = len(asked)
    code, status, body = ask(door, authorities, clients[what], *VERSIONS[version])
    assert code != 0, (status, body)
    assert status == 0, (code, body)
    assert len(asked) == before
    # The others do.
    assert ask(door, authorities, clients["good"])[1] == 200


@pytest.mark.parametrize("flags", [("-tls1",), ("-tls1_1",)], ids="".join)
def test_clients_of_old_versions_do_not_pass(door, authorities, clients, flags):
    certificate, key = clients["good"]
    ended = subprocess.run(
        [
            *("openssl", "s_client", "-connect", door.address, "-cipher", "ALL:@SECLEVEL=0"),
            *flags,
            *map(str, ("-cert", certificate, "-key", key, "-CAfile", authorities.root.file)),
        ],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Cipher is (NONE)" in ended.stdout, ended.stdout


@pytest.mark.parametrize("what", ["good", "none"])
def test_protocols_that_are_not_spoken_are_not_agreed_upon(door, authorities, clients, what):
    """What clients offer is not taken, and a certificate is needed all the same."""
    context = ssl.create_default_context(cafile=str(authorities.root.file))
    if clients[what]:
        context.load_cert_chain(*map(str, clients[what]))
    context.set_alpn_protocols(["h3"])
    host, port = door.address.rsplit(":", 1)
    answer = b""
    with (
        contextlib.suppress(ssl.SSLError, ConnectionError),
        socket.create_connection((host, int(port)), 10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() is None
        connection.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = connection.recv(12)
    assert answer[:8] == (b"HTTP/1.1" if what == "good" else b"")


# Nodes


@contextlib.contextmanager
def secure_node(pair, **settings):
    """What answers every POST, with a certificate."""

    def answer(handler, _):
        handler.send(200, b"{}")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, pair))
    context.set_alpn_protocols(settings.pop("protocols", ["http/1.1"]))
    for name, value in settings.items():
        setattr(context, name, value)
    with stand_in(answer, well_by_its_word()) as node:
        # Not while it accepts, which would hold up all others.
        node.socket = context.wrap_socket(
            node.socket, server_side=True, do_handshake_on_connect=False
        )
        node.context = context
        yield node


@pytest.fixture(scope="module")
def nodes(authorities):
    """Nodes by what is wrong with what they show."""
    root = authorities.root
    pairs = authorities.wrong("node", CLIENT) | authorities.good("node", (SERVER,))
    pairs |= {
        "for another host": root.issue("node-other", names=("example.com", "192.0.2.1")).pair,
        "for the host and not for the address": root.issue("node-host", names=("localhost",)).pair,
        # Its common name is that of the address.
        "for no host": root.issue("127.0.0.1", names=()).pair,
        "asking for a certificate": root.issue("node-asking").pair,
        "of TLS 1.1": root.issue("node-old").pair,
        "without HTTP/2": root.issue("node-plain").pair,
    }
    settings = {
        "of TLS 1.1": {"minimum_version": OLD, "maximum_version": OLD},
        "without HTTP/2": {"protocols": ["h3"]},
    }
    with contextlib.ExitStack() as scope:
        found = {
            what: scope.enter_context(secure_node(pair, **settings.get(what, {})))
            for what, pair in pairs.items()
        }
        asking = found["asking for a certificate"].context
        asking.load_verify_locations(str(root.file))
        asking.verify_mode = ssl.CERT_REQUIRED
        # What is old is spoken at all only at the lowest level.
        found["of TLS 1.1"].context.set_ciphers("ALL:@SECLEVEL=0")
        yield found


@pytest.fixture(scope="module")
def gateway(module_martlet, authorities, nodes):
    """A gateway with a pool for each of the nodes, which all trust the one authority."""
    trusting = {"ca_file": str(authorities.root.file)}
    pools = [
        pool(f"pool-{number}", node, tls=trusting) for number, node in enumerate(nodes.values())
    ]
    routes = [
        {"name": f"route-{each}", "pool": f"pool-{each}", "match": {"path_prefix": f"/{each}"}}
        for each in range(len(nodes))
    ]
    policy = {"pools": pools, "routes": routes}
    return follow_alone(module_martlet, "nodes", policy, ready="live")


def post(gateway, nodes, what):
    number = list(nodes).index(what)
    return gateway.rest.post(f"/{number}{PREDICT}", BODY)


@pytest.mark.parametrize("what", [*GOOD, "without HTTP/2"])
def test_nodes_with_a_good_certificate_are_asked(gateway, nodes, what):
    gateway.await_health(nodes[what], healthy=True)
    assert post(gateway, nodes, what).status_code == 200
    assert len(nodes[what].requests) == 1


@pytest.mark.parametrize("what", WRONG_NODES)
def test_nodes_with_a_wrong_certificate_are_never_asked(gateway, nodes, what):
    gateway.await_health(nodes["good"], healthy=True)
    assert post(gateway, nodes, what).status_code == 503
    assert not gateway.endpoints()[nodes[what].address]["healthy"]
    assert nodes[what].requests == []
    gateway.assert_running()


def test_nodes_with_no_protocol_in_common_are_not_asked_by_grpc(module_martlet, authorities, nodes):
    trusting = {"ca_file": str(authorities.root.file)}
    policy = {"pools": [pool("main", nodes["without HTTP/2"], tls=trusting)]}
    gateway = follow_alone(module_martlet, "grpc", policy, ready="ready")
    before = len(nodes["without HTTP/2"].requests)
    with refused(grpc.StatusCode.UNAVAILABLE):
        gateway.grpc.predict("half_plus_two", {})
    assert len(nodes["without HTTP/2"].requests) == before


# The start


@pytest.mark.parametrize("where", ["tls", "pool"])
@pytest.mark.parametrize("wrong", ["key of another", "no certificate", "no key"])
def test_files_that_do_not_fit_end_the_start(martlet, authorities, where, wrong):
    own = authorities.root.issue(f"own-{where}", purposes=(SERVER, CLIENT))
    other = authorities.root.issue(f"other-{where}")
    nothing = authorities.folder / "nothing.pem"
    nothing.write_text("nothing\n", encoding="ascii")
    pair = {
        "key of another": (own.file, other.key_file),
        "no certificate": (nothing, own.key_file),
        "no key": (own.file, nothing),
    }[wrong]
    policy = {"pools": [pool("main", "127.0.0.1:1")]}
    if where == "tls":
        policy["tls"] = tls(pair)
    else:
        policy["pools"][0]["tls"] = {"ca_file": str(authorities.root.file), **tls(pair)}
    path = martlet.directory / "wrong.json"
    path.write_text(json.dumps(policy), encoding="utf-8")
    ended = martlet.run("gateway", "--config", path, "--port", 0, "--admin-port", 0)
    assert ended.returncode != 0
    named = pair[1] if wrong == "no key" else pair[0]
    assert str(named) in ended.stderr or "key" in ended.stderr, ended.stderr
