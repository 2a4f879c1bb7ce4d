"""The gateway's TLS in the eyes of others: a current OpenSSL, sslyze and testssl.sh."""

import contextlib
import socket
import ssl

import pytest
from harness.certificates import Certificates, openssl, tls
from harness.handshakes import shake
from harness.policies import counting_node, follow, pool
from harness.scanners import TESTSSL, sslyze, testssl
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)

HYBRID = "X25519MLKEM768"
PREFERRED = "TLS_AES_256_GCM_SHA384"
SUITES_OF_TLS_1_3 = {PREFERRED, "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"}
OK = "HTTP/1.1 200 OK"
REFUSED = "handshake failure"


@pytest.fixture(scope="module")
def node():
    with counting_node() as server:
        yield server


@pytest.fixture(scope="module")
def certificates(module_martlet):
    return Certificates(module_martlet, module_martlet.directory / "own")


@pytest.fixture(scope="module")
def pair(certificates):
    """For no longer than Mozilla's profile wants it."""
    return certificates.node("--days", 89)


@pytest.fixture(scope="module")
def start(module_martlet, node):
    """Starts a gateway with these settings of TLS."""

    def start(settings, **policy):
        policy = {"tls": settings, "pools": [pool("main", node)], **policy}
        return follow(module_martlet, policy)

    return start


@pytest.fixture(scope="module")
def by_default(start, pair):
    return start(tls(pair))


@pytest.fixture(scope="module")
def asked_for_tls_1_2(start, pair):
    return start(tls(pair, minimum_version="tls1.2"))


def wanting_certificates(start, pair, authority, **policy):
    settings = {"client_certificates": "required", "client_ca_file": str(authority)}
    return start(tls(pair, **settings), **policy)


@pytest.fixture(scope="module")
def for_known_clients(start, pair, certificates):
    return wanting_certificates(start, pair, certificates.certificate)


# Handshakes


def test_keys_are_exchanged_by_the_hybrid_at_the_first_attempt(by_default, certificates):
    shown = shake(by_default.address, certificates)
    assert (shown.error, shown.answer) == ("", OK)
    assert (shown.version, shown.group, shown.suite) == ("TLSv1.3", HYBRID, PREFERRED)
    assert shown.hellos == 1


def test_a_hello_in_many_pieces_is_put_together(by_default, certificates):
    """With a key share of the hybrid, it is larger than a packet."""
    shown = shake(by_default.address, certificates, piece=100)
    assert (shown.error, shown.group, shown.hellos, shown.answer) == ("", HYBRID, 1, OK)


@pytest.mark.parametrize(
    ("offered", "group"),
    [
        (HYBRID, HYBRID),
        ("X25519", "x25519"),
        ("P-256", "secp256r1"),
        ("P-384", "secp384r1"),
    ],
)
def test_clients_with_one_group_are_served_at_the_first_attempt(
    by_default, certificates, offered, group
):
    shown = shake(by_default.address, certificates, groups=offered)
    assert (shown.error, shown.group, shown.suite) == ("", group, PREFERRED)
    assert (shown.hellos, shown.answer) == (1, OK)


@pytest.mark.parametrize("offered", ["P-521", "X448", "SecP256r1MLKEM768", "ffdhe2048"])
def test_clients_with_other_groups_alone_are_refused(by_default, certificates, offered):
    assert REFUSED in shake(by_default.address, certificates, groups=offered).error


def test_key_shares_of_other_groups_cost_a_second_attempt(by_default, certificates):
    shown = shake(by_default.address, certificates, groups="X448:P-256")
    assert (shown.error, shown.group, shown.answer) == ("", "secp256r1", OK)
    assert shown.hellos == 2


def test_among_what_both_can_the_order_of_the_client_counts(by_default, certificates):
    """As docs/security.md says: the library that we use has no order of the server."""
    shown = shake(by_default.address, certificates, groups=f"X25519:{HYBRID}")
    assert (shown.error, shown.group, shown.hellos) == ("", "x25519", 1)
    for suite in sorted(SUITES_OF_TLS_1_3):
        suites = ":".join([suite, *sorted(SUITES_OF_TLS_1_3 - {suite})])
        shown = shake(by_default.address, certificates, suites=suites)
        assert (shown.error, shown.suite, shown.group) == ("", suite, HYBRID)


@pytest.mark.parametrize("curve", ["p256", "p384"])
def test_clients_show_certificates_of_ecdsa(for_known_clients, certificates, curve):
    client = certificates.client(f"of-{curve}", "--curve", curve)
    shown = shake(for_known_clients.address, certificates, client=client)
    assert (shown.error, shown.group, shown.answer) == ("", HYBRID, OK)
    assert "certificate required" in shake(for_known_clients.address, certificates).error


# sslyze

# All that it can look for, but header fields of HTTP, and the certificate.
EVERYTHING = (
    *("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"),
    *("--compression", "--reneg", "--heartbleed", "--robot", "--openssl_ccs", "--fallback"),
    *("--early_data", "--resum", "--ems", "--elliptic_curves"),
)


def assert_no_weakness(scan):
    assert not scan["tls_compression"]["supports_compression"]
    assert not scan["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not scan["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert not scan["tls_1_3_early_data"]["supports_early_data"]
    renegotiation = scan["session_renegotiation"]
    assert renegotiation["supports_secure_renegotiation"]
    assert not renegotiation["is_vulnerable_to_client_renegotiation_dos"]
    assert scan["robot"]["robot_result"] == "NOT_VULNERABLE_RSA_NOT_SUPPORTED"
    assert scan["tls_fallback_scsv"]["supports_fallback_scsv"]
    assert scan["tls_extended_master_secret"]["supports_ems_extension"]
    # Of those that sslyze knows; the hybrid is too new for it.
    assert scan.groups() == {"X25519", "secp256r1", "secp384r1"}


def test_sslyze_finds_tls_1_3_alone_by_default(by_default, tmp_path):
    scan = sslyze(by_default.address, tmp_path, *EVERYTHING)
    assert scan.versions() == {"tls_1_3"}
    assert scan.suites("tls_1_3") == SUITES_OF_TLS_1_3
    assert_no_weakness(scan)
    resumption = scan["session_resumption"]
    assert resumption["session_id_resumption_result"] == "SERVER_IS_TLS_1_3_ONLY"
    assert resumption["tls_ticket_resumption_result"] == "SERVER_IS_TLS_1_3_ONLY"
    assert scan.client_certificates == "DISABLED"


def test_sslyze_finds_the_profile_modern_of_mozilla_complied_with(
    by_default, certificates, tmp_path
):
    trusted = ("--certinfo_ca_file", certificates.certificate, "--sni", "localhost")
    scan = sslyze(by_default.address, tmp_path, *trusted, profile="modern")
    assert scan.complaints == []
    (deployed,) = scan["certificate_info"]["certificate_deployments"]
    own = [each for each in deployed["path_validation_results"] if not each["validation_error"]]
    assert len(own) == 1, "only the authority of the test trusts the certificate"
    assert deployed["received_chain_has_valid_order"]


def test_sslyze_finds_tls_1_2_besides_when_asked_and_nothing_older(asked_for_tls_1_2, tmp_path):
    scan = sslyze(asked_for_tls_1_2.address, tmp_path, *EVERYTHING)
    assert scan.versions() == {"tls_1_2", "tls_1_3"}
    assert scan.suites("tls_1_3") == SUITES_OF_TLS_1_3
    assert_no_weakness(scan)
    resumption = scan["session_resumption"]
    assert resumption["session_id_resumption_result"] == "FULLY_SUPPORTED"
    assert resumption["tls_ticket_resumption_result"] == "FULLY_SUPPORTED"


def assert_forward_secret(suites, authentication):
    """Keys of one connection alone, and ciphers that encrypt and authenticate in one."""
    ciphers = ("AES_256_GCM_SHA384", "AES_128_GCM_SHA256", "CHACHA20_POLY1305_SHA256")
    good = [f"TLS_ECDHE_{authentication}_WITH_{cipher}" for cipher in ciphers]
    assert suites - set(good) == set()
    assert good[0] in suites


def test_tls_1_2_has_forward_secrecy_and_authenticated_encryption_alone(
    asked_for_tls_1_2, tmp_path
):
    scan = sslyze(asked_for_tls_1_2.address, tmp_path, "--tlsv1_2")
    assert_forward_secret(scan.suites("tls_1_2"), "ECDSA")


def test_tls_1_2_is_no_weaker_with_a_certificate_of_rsa(start, tmp_path):
    certificate, key = tmp_path / "rsa.pem", tmp_path / "rsa.key"
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
        *("-days", "30", "-keyout", key, "-out", certificate),
    )
    gateway = start(tls((certificate, key), minimum_version="tls1.2"))
    scan = sslyze(gateway.address, tmp_path, "--tlsv1_2", "--robot")
    assert_forward_secret(scan.suites("tls_1_2"), "RSA")
    assert scan["robot"]["robot_result"] == "NOT_VULNERABLE_RSA_NOT_SUPPORTED"


def test_sslyze_finds_that_client_certificates_are_required(for_known_clients, tmp_path):
    scan = sslyze(for_known_clients.address, tmp_path, "--tlsv1_2")
    assert scan.client_certificates == "REQUIRED"
    assert scan.suites("tls_1_2") == set()


# Sessions taken up again


class Returning:
    """A client of Python's own TLS, which can take up the session of an earlier connection."""

    def __init__(self, gateway, authority, client=None):
        self.host, _, self.port = gateway.address.rpartition(":")
        self.context = ssl.create_default_context(cafile=authority.certificate)
        if client:
            self.context.load_cert_chain(*client)
        self.session = None

    def ask(self, session=None):
        """An answer's status, whether the session was taken up, and the certificate's number."""
        with (
            socket.create_connection((self.host, int(self.port)), 15) as connection,
            self.context.wrap_socket(
                connection, server_hostname="localhost", session=session
            ) as secure,
        ):
            secure.sendall(
                b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
            )
            with secure.makefile("rb") as answer:
                line = answer.readline()
                if not line:
                    raise ConnectionError("the server hung up")
                status = int(line.split()[1])
                # A ticket for the next time comes after the handshake.
                answer.read()
            self.session = secure.session
            return status, secure.session_reused, secure.getpeercert()["serialNumber"]

    def is_let_in(self, session=None):
        """A client that is not, may learn so in many ways."""
        with contextlib.suppress(OSError):
            return self.ask(session)[0] == 200
        return False


def test_sessions_are_taken_up_until_the_certificate_is_another(
    start, certificates, module_martlet
):
    renewable = Certificates(module_martlet, module_martlet.directory / "renewable")
    gateway = start(tls(renewable.node()))
    client = Returning(gateway, renewable)
    status, is_resumed, before = client.ask()
    assert (status, is_resumed) == (200, False)
    old = client.session
    assert client.ask(old)[:2] == (200, True)
    renewable.node("--force")
    await_until(lambda: client.ask()[2] != before, "the new certificate")
    assert client.ask(old)[:2] == (200, False)


def test_sessions_taken_up_are_those_of_the_same_client(start, pair, certificates, tmp_path):
    file = tmp_path / "credentials.yaml"
    file.write_text(
        'certificates: [{name: a, uri: "spiffe://martlet/tenant/team-a", tenant: team-a}]\n',
        encoding="utf-8",
    )
    access = {"api_keys_file": str(file)}
    gateway = wanting_certificates(start, pair, certificates.certificate, access=access)
    for name, tenant, status in (("ann", "team-a", 200), ("ben", "team-b", 401)):
        client = Returning(gateway, certificates, certificates.client(name, "--tenant", tenant))
        assert client.ask()[:2] == (status, False)
        assert client.ask(client.session)[:2] == (status, True)


def test_no_session_outlives_the_trust_in_its_client(
    start, pair, certificates, module_martlet, tmp_path
):
    others = Certificates(module_martlet, module_martlet.directory / "others")
    authority = tmp_path / "clients.pem"
    authority.write_bytes(certificates.certificate.read_bytes())
    gateway = wanting_certificates(start, pair, authority)
    old = Returning(gateway, certificates, certificates.client("old"))
    new = Returning(gateway, certificates, others.client("new"))
    assert old.ask()[0] == 200
    assert old.ask(old.session)[:2] == (200, True)
    kept = old.session
    assert not new.is_let_in()
    authority.write_bytes(others.certificate.read_bytes())
    await_until(new.is_let_in, "the new authority to be trusted")
    assert not old.is_let_in(kept)


def test_no_session_outlives_the_certificate_of_its_client(for_known_clients, certificates):
    brief = certificates.brief_client("brief", seconds=12)
    client = Returning(for_known_clients, certificates, brief)
    assert client.ask()[0] == 200
    assert client.ask(client.session)[:2] == (200, True)
    kept = client.session
    await_until(lambda: not client.is_let_in(), "the certificate to expire")
    assert not client.is_let_in(kept)


# testssl.sh


@pytest.mark.deadline(240)
@pytest.mark.skipif(not TESTSSL, reason="needs testssl.sh: apt-get install testssl.sh")
def test_testssl_finds_nothing_grave(by_default, tmp_path):
    findings = testssl(by_default.address, tmp_path, "--protocols", "--vulnerable")
    harmless = ("OK", "INFO", "LOW", "MEDIUM")
    assert [each for each in findings if each["severity"] not in harmless] == []
    told = {each["id"]: each["finding"] for each in findings}
    assert told["TLS1_2"] == "not offered"
    assert told["TLS1_3"].startswith("offered")
    # The last of what it looks for.
    assert "RC4" in told
