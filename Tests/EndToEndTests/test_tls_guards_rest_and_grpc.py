"""TLS and mutual TLS on both protocols, by the flags of `serve` and by ssl_config_file."""

import contextlib
import gzip
import subprocess

import grpc
import pytest
from harness.certificates import Authority, curl, secure_grpc, secure_rest
from harness.clients import assert_unharmed, refused
from harness.model_server import text_file
from harness.models import fixture
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)
HALF_PLUS_TWO = f"--model=half_plus_two={fixture('half_plus_two')}"
PREDICT = "/v1/models/half_plus_two:predict"
BODY = '{"instances": [1.0]}'


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "pki", "authority")


@pytest.fixture
def stranger(tmp_path):
    """An authority that nobody trusts."""
    return Authority(tmp_path / "strange-pki", "stranger")


@pytest.fixture
def server_pair(authority):
    return authority.issue("server")


class Secure:
    """Both clients of one process, trusting one authority."""

    def __init__(self, process, rest, grpc_client):
        self.assert_running = process.assert_running
        self.rest = rest
        self.grpc = grpc_client


@contextlib.contextmanager
def secure(process, authority, client=None, grpc_address=None):
    grpc_address = grpc_address or process.address
    with (
        secure_rest(process.address, authority, client) as rest,
        secure_grpc(grpc_address, authority, client) as grpc_client,
    ):
        yield Secure(process, rest, grpc_client)


def await_ready(address, authority, client=None):
    with secure_rest(address, authority, client) as rest:

        def ready():
            with contextlib.suppress(OSError):
                return rest.get("/healthz/ready").status_code == 200

        await_until(ready, f"{address} to be ready")


def serve(martlet, pair, *flags):
    certificate, key = pair
    return martlet.serve(
        ("half_plus_two",), "--tls-certificate", certificate, "--tls-key", key, *flags, ready=None
    )


def test_serve_speaks_tls_with_stock_clients(martlet, authority, stranger, server_pair):
    node = serve(martlet, server_pair)
    await_ready(node.address, authority)
    with secure(node, authority) as clients:
        assert_unharmed(clients)
    for version in ("--http1.1", "--http2"):
        url = f"https://{node.address}{PREDICT}"
        code, status, body = curl(version, "--cacert", authority.certificate, "-d", BODY, url)
        assert (code, status) == (0, 200)
        assert "2.5" in body
    # A client of another authority hangs up, and one in the clear gets no answer.
    assert curl("--cacert", stranger.certificate, f"https://{node.address}/healthz/live")[0] == 60
    assert curl(f"http://{node.address}/healthz/live")[1] != 200
    with (
        secure(node, stranger) as clients,
        refused(grpc.StatusCode.UNAVAILABLE),
    ):
        clients.grpc.check()
    with secure(node, authority) as clients:
        assert_unharmed(clients)


def test_clients_must_show_a_certificate_of_the_right_authority(
    martlet, authority, stranger, server_pair
):
    good = authority.issue("client")
    bad = stranger.issue("client")
    node = serve(martlet, server_pair, "--tls-client-ca", authority.certificate)
    await_ready(node.address, authority, good)
    url = f"https://{node.address}/healthz/live"
    trust = ("--cacert", authority.certificate)
    assert curl(*trust, "--cert", good[0], "--key", good[1], url)[1] == 200
    assert curl(*trust, url)[1] == 0
    assert curl(*trust, "--cert", bad[0], "--key", bad[1], url)[1] == 0
    for client in (None, bad):
        with (
            secure_grpc(node.address, authority, client) as clients,
            refused(grpc.StatusCode.UNAVAILABLE),
        ):
            clients.check()
    with secure(node, authority, good) as clients:
        assert_unharmed(clients)


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--tls-certificate", "{certificate}"), 64, "--tls-key"),
        (("--tls-key", "{key}"), 64, "--tls-certificate"),
        (("--tls-client-ca", "{certificate}"), 64, "--tls-certificate"),
        (("--tls-certificate", "/nonexistent", "--tls-key", "{key}"), 1, "does not exist"),
        (("--tls-certificate", "{certificate}", "--tls-key", "{other}"), 64, "does not belong"),
    ],
)
def test_wrong_files_end_the_start(martlet, authority, server_pair, flags, code, message):
    certificate, key = server_pair
    _, other = authority.issue("other")
    arguments = [flag.format(certificate=certificate, key=key, other=other) for flag in flags]
    refusal = martlet.run("serve", HALF_PLUS_TWO, "--port", 0, *arguments)
    assert refusal.returncode == code, refusal.stderr
    assert message in refusal.stderr


def ssl_config(folder, authority, pair, client_verify):
    file = folder / "ssl.config"

    def quoted(path):
        return '"' + path.read_text(encoding="ascii").replace("\n", "\\n") + '"'

    file.write_text(
        f"server_cert: {quoted(pair[0])}\nserver_key: {quoted(pair[1])}\n"
        f"custom_ca: {quoted(authority.certificate)}\nclient_verify: {client_verify}\n",
        encoding="ascii",
    )
    return f"--ssl_config_file={file}"


def test_ssl_config_file_encrypts_grpc_alone(
    tensorflow_model_server, tmp_path, authority, server_pair
):
    server = tensorflow_model_server(ssl_config(tmp_path, authority, server_pair, "false"))
    with secure_grpc(server.grpc_address, authority) as clients:
        assert clients.status("half_plus_two").model_version_status[0].version == 1


def test_rest_api_ssl_encrypts_rest_too_and_client_verify_holds_for_both(
    tensorflow_model_server, tmp_path, authority, stranger, server_pair
):
    good, bad = authority.issue("client"), stranger.issue("client")
    config = ssl_config(tmp_path, authority, server_pair, "true")
    server = tensorflow_model_server(config, "--rest_api_ssl", ready=None)
    await_ready(server.address, authority, good)
    with secure(server, authority, good, server.grpc_address) as clients:
        assert_unharmed(clients)
    url = f"https://{server.address}/healthz/live"
    trust = ("--cacert", authority.certificate)
    assert curl(*trust, "--cert", bad[0], "--key", bad[1], url)[1] == 0
    assert curl(*trust, url)[1] == 0
    with (
        secure_grpc(server.grpc_address, authority, bad) as clients,
        refused(grpc.StatusCode.UNAVAILABLE),
    ):
        clients.check()


def test_decompression_ratio_is_a_flag(martlet):
    node = martlet.serve(("half_plus_two",), "--max-decompression-ratio", 2000)
    body = BODY.encode() + b" " * (2 << 20)
    encoded = gzip.compress(body)
    assert 500 < len(body) / len(encoded) < 2000
    gzipped = {"Content-Encoding": "gzip"}
    assert node.rest.post(PREDICT, encoded, headers=gzipped).status_code == 200
    strict = martlet.serve(("half_plus_two",), "--max-decompression-ratio", 500)
    assert strict.rest.post(PREDICT, encoded, headers=gzipped).status_code == 413


def presented(address):
    """The serial number of the certificate that a server shows to openssl."""
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", address, "-servername", "localhost"],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    return x509(shown) if "BEGIN CERTIFICATE" in shown else None


def x509(text):
    return subprocess.run(
        ["openssl", "x509", "-noout", "-serial"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()


def replace(path, content):
    staging = path.with_suffix(".new")
    staging.write_bytes(content)
    staging.rename(path)


def test_new_certificate_is_shown_without_a_restart(martlet, authority, server_pair):
    certificate, key = server_pair
    node = serve(martlet, server_pair)
    await_ready(node.address, authority)
    before = presented(node.address)
    assert before == x509(certificate.read_text())
    with secure(node, authority) as old_clients:
        assert_unharmed(old_clients)
        new_certificate, new_key = authority.issue("renewed")
        replace(certificate, new_certificate.read_bytes())
        complaint = "certificate not read again"
        await_until(lambda: [line for line in node.log_lines() if complaint in line], complaint)
        assert presented(node.address) == before
        replace(key, new_key.read_bytes())
        renewed = x509(new_certificate.read_text())
        await_until(lambda: presented(node.address) == renewed, "the new certificate")
        # Those who are connected stay so; those who come are served.
        assert_unharmed(old_clients)
    with secure(node, authority) as clients:
        assert_unharmed(clients)
    url = f"https://{node.address}{PREDICT}"
    code, status, _ = curl("--cacert", authority.certificate, "-d", BODY, url)
    assert (code, status) == (0, 200)


def test_new_certificate_in_the_ssl_config_file_is_shown_too(
    tensorflow_model_server, authority, server_pair, tmp_path
):
    def config(pair):
        certificate, key = (path.read_text().replace("\n", "\\n") for path in pair)
        return f"server_cert: '{certificate}' server_key: '{key}'"

    file = text_file(tmp_path / "ssl.config", config(server_pair))
    server = tensorflow_model_server(f"--ssl_config_file={file}", "--rest_api_ssl", ready=None)
    await_ready(server.address, authority)
    assert presented(server.address) == x509(server_pair[0].read_text())
    pair = authority.issue("renewed")
    text_file(file, config(pair))
    renewed = x509(pair[0].read_text())
    for address in (server.address, server.grpc_address):
        await_until(
            lambda at=address: presented(at) == renewed, f"the new certificate at {address}"
        )
    with secure(server, authority, grpc_address=server.grpc_address) as clients:
        assert_unharmed(clients)


def test_model_commands_speak_tls_and_show_a_certificate_and_a_key(
    martlet, authority, stranger, server_pair, tmp_path
):
    keys = tmp_path / "keys"
    keys.write_text("me: secret-of-sixteen-bytes\n", encoding="utf-8")
    node = serve(
        martlet,
        server_pair,
        *("--tls-client-ca", authority.certificate),
        *("--api-key-file", keys),
    )
    certificate, key = authority.issue("client")
    await_ready(node.address, authority, (certificate, key))

    def models(*flags, address=f"https://{node.address}"):
        return martlet.run("model", "list", "--address", address, *flags)

    trusting = ("--cacert", authority.certificate)
    known = ("--cert", certificate, "--key", key)
    listed = models(*trusting, *known, "--api-key-file", keys)
    assert listed.returncode == 0, listed.stderr
    assert "half_plus_two" in listed.stdout
    by_name = models(
        *trusting, *known, "--api-key-file", keys, address=f"https://localhost:{node.port}"
    )
    assert by_name.returncode == 0, by_name.stderr

    assert models(*trusting, *known).returncode == 77
    for flags in (
        (*trusting, "--api-key-file", keys),
        ("--cacert", stranger.certificate, *known),
        known,
    ):
        refusal = models(*flags)
        assert refusal.returncode == 69, refusal.stderr
        assert "--cacert" in refusal.stderr
    in_the_clear = models(address=node.address)
    assert in_the_clear.returncode == 69
    assert "https://" in in_the_clear.stderr
    assert models("--cert", certificate).returncode == 64
    assert models(*trusting, address=node.address).returncode == 64
