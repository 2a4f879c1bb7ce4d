"""`martlet certs`, whose files openssl verifies and which both sides of a handshake show."""

import contextlib
import json
import os
import re
import socket
import subprocess
import threading

import pytest
from harness.waiting import await_until

pytestmark = pytest.mark.deadline(60)


class Folder:
    """A folder in which the commands run, and in it that of the authority."""

    def __init__(self, martlet, path):
        self.martlet = martlet
        self.path = path
        self.certs = path / "certs"

    def run(self, *arguments, code=0):
        ended = self.martlet.run("certs", *arguments, cwd=self.path)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended

    def json(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def refusal(self, *arguments, code):
        ended = self.run(*arguments, code=code)
        assert not ended.stdout
        return ended.stderr


@pytest.fixture
def empty(martlet, tmp_path):
    return Folder(martlet, tmp_path)


@pytest.fixture
def folder(empty):
    empty.run("init", "--name", "Test authority")
    return empty


@pytest.fixture(params=["p256", "p384"])
def folder_of_each_curve(request, empty):
    empty.run("init", "--curve", request.param)
    return empty


def openssl(*arguments, code=0):
    ended = subprocess.run(
        ["openssl", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert code is None or ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def text_of(certificate):
    return openssl("x509", "-in", certificate, "-noout", "-text")


def verify(folder, certificate, *flags, code=0):
    authority = folder.certs / "ca.pem"
    return openssl("verify", "-x509_strict", "-CAfile", authority, *flags, certificate, code=code)


def test_openssl_verifies_what_the_authority_signs(folder_of_each_curve):
    folder = folder_of_each_curve
    folder.run("node", "--host", "gateway.example", "--host", "10.0.0.7", "--host", "::1")
    folder.run("client", "--name", "alice", "--tenant", "team-a")
    node, client = folder.certs / "gateway.example.pem", folder.certs / "alice.pem"
    assert "OK" in verify(folder, folder.certs / "ca.pem")
    for host in ("gateway.example", "GATEWAY.example"):
        verify(folder, node, "-purpose", "sslserver", "-verify_hostname", host)
    for address in ("10.0.0.7", "::1"):
        verify(folder, node, "-purpose", "sslserver", "-verify_ip", address)
    # A gateway shows it to nodes; a client's is no server's.
    verify(folder, node, "-purpose", "sslclient")
    verify(folder, client, "-purpose", "sslclient")
    verify(folder, client, "-purpose", "sslserver", code=2)
    verify(folder, node, "-verify_hostname", "other.example", code=2)
    for certificate in (node, client):
        key = openssl("pkey", "-in", certificate.with_suffix(".key"), "-pubout")
        assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == key


def test_certificates_say_whom_they_are_for(folder):
    folder.run("node", "--host", "*.nodes.example", "--days", 10)
    folder.run("client", "--name", "alice", "--tenant", "team-a", "--curve", "p384")
    folder.run(
        *("client", "--name", "Bob B", "--dns", "bob.example", "--email", "bob@example.com"),
        *("--out", "bob"),
    )
    node = text_of(folder.certs / "wildcard.nodes.example.pem")
    assert "DNS:*.nodes.example" in node
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in node
    assert "Issuer: CN = Test authority" in node
    alice = text_of(folder.certs / "alice.pem")
    assert "URI:spiffe://martlet/tenant/team-a" in alice
    assert "CA:FALSE" in alice
    assert "secp384r1" in alice
    assert "TLS Web Server Authentication" not in alice
    bob = text_of(folder.certs / "bob.pem")
    assert "DNS:bob.example, email:bob@example.com" in bob
    assert "spiffe" not in bob
    authority = text_of(folder.certs / "ca.pem")
    assert "CA:TRUE, pathlen:0" in authority
    assert "Certificate Sign, CRL Sign" in authority
    chain = (folder.certs / "alice.pem").read_text(encoding="ascii")
    assert chain.endswith((folder.certs / "ca.pem").read_text(encoding="ascii"))


def test_keys_are_secret_and_nothing_is_overwritten_unasked(folder):
    folder.run("node", "--host", "a.example")
    for key in ("ca.key", "a.example.key"):
        assert (folder.certs / key).stat().st_mode & 0o777 == 0o600
    assert folder.certs.stat().st_mode & 0o777 == 0o700
    before = {path.name: path.read_bytes() for path in folder.certs.iterdir()}
    assert set(before) == {"ca.pem", "ca.key", "a.example.pem", "a.example.key"}
    assert "--force" in folder.refusal("init", code=1)
    assert "--force" in folder.refusal("node", "--host", "a.example", code=1)
    assert {path.name: path.read_bytes() for path in folder.certs.iterdir()} == before
    folder.run("node", "--host", "a.example", "--force")
    assert (folder.certs / "a.example.pem").read_bytes() != before["a.example.pem"]
    verify(folder, folder.certs / "a.example.pem")
    (folder.certs / "ca.key").chmod(0o644)
    assert "chmod 600" in folder.run("crl").stderr


def crl_text(folder):
    return openssl(
        *("crl", "-in", folder.certs / "crl.pem", "-noout", "-text"),
        *("-CAfile", folder.certs / "ca.pem"),
    )


def test_revoked_certificates_are_refused_by_openssl(folder_of_each_curve):
    folder = folder_of_each_curve
    names = ("alice", "bob", "carol")
    made = {name: folder.json("client", "--name", name) for name in names}
    check = ("-crl_check", "-CRLfile", folder.certs / "crl.pem")
    folder.run("crl")
    shown = crl_text(folder)
    assert "verify OK" in shown
    assert "Version 2 (0x1)" in shown
    assert "No Revoked Certificates" in shown
    for name in names:
        verify(folder, folder.certs / f"{name}.pem", *check)
    folder.run("revoke", folder.certs / "alice.pem", "--reason", "key-compromise")
    folder.run("revoke", "--serial", made["bob"]["serial"])
    shown = crl_text(folder)
    assert "verify OK" in shown
    assert "Key Compromise" in shown
    serials = re.findall(r"Serial Number: (\w+)", shown)
    assert serials == [made[name]["serial"].replace(":", "") for name in ("alice", "bob")]
    for name in ("alice", "bob"):
        assert "revoked" in verify(folder, folder.certs / f"{name}.pem", *check, code=2)
    verify(folder, folder.certs / "carol.pem", *check)
    assert "already" in folder.run("revoke", folder.certs / "alice.pem").stdout
    number = folder.json("crl", "--days", 5)["number"]
    assert str(number) in crl_text(folder)
    assert folder.json("crl")["number"] > number
    assert "revoked" in verify(folder, folder.certs / "alice.pem", *check, code=2)


def test_two_revocations_at_once_are_both_kept(folder):
    names = [f"client-{number}" for number in range(6)]
    for name in names:
        folder.run("client", "--name", name)
    threads = [
        threading.Thread(target=folder.run, args=("revoke", folder.certs / f"{name}.pem"))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crl_text(folder).count("Serial Number") == len(names)


@contextlib.contextmanager
def s_server(folder, *flags):
    """openssl's server, which turns clients away that show no good certificate."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    node = folder.certs / "localhost"
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet"]
        + ["-cert_chain", f"{node}.pem", "-cert", f"{node}.pem", "-key", f"{node}.key"]
        + ["-CAfile", str(folder.certs / "ca.pem"), "-Verify", "2", "-verify_return_error"]
        + [str(flag) for flag in flags],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def listens():
        assert process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True

    try:
        await_until(listens, "openssl to listen")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def page(folder, address, name=None):
    """What the server answers to a client with this certificate; nothing if it hangs up."""
    shown = ()
    if name:
        shown = ("-cert", folder.certs / f"{name}.pem", "-key", folder.certs / f"{name}.key")
    ended = subprocess.run(
        ["openssl", "s_client", "-connect", address, "-verify_hostname", "localhost", "-quiet"]
        + ["-CAfile", str(folder.certs / "ca.pem"), "-verify_return_error"]
        + [str(argument) for argument in shown],
        input=b"GET / HTTP/1.0\r\n\r\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    return ended.stdout.decode(errors="replace")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_mutual_tls_lets_in_whom_the_authority_signed_and_did_not_revoke(folder, version):
    folder.run("node", "--host", "localhost", "--host", "127.0.0.1")
    for name in ("alice", "mallory"):
        folder.run("client", "--name", name)
    folder.run("revoke", folder.certs / "mallory.pem")
    stranger = Folder(folder.martlet, folder.path / "elsewhere")
    stranger.path.mkdir()
    stranger.run("init", "--name", "Test authority")
    stranger.run("client", "--name", "eve")
    for suffix in (".pem", ".key"):
        (stranger.certs / f"eve{suffix}").rename(folder.certs / f"eve{suffix}")
    crl = ("-crl_check", "-CRL", folder.certs / "crl.pem")
    with s_server(folder, version, *crl) as address:
        assert "HTTP/1.0 200" in page(folder, address, "alice")
        # A gateway shows its own certificate to nodes.
        assert "HTTP/1.0 200" in page(folder, address, "localhost")
        for name in ("mallory", "eve", None):
            assert "200" not in page(folder, address, name), name
        assert "HTTP/1.0 200" in page(folder, address, "alice")


def test_show_tells_what_expires_by_its_exit_code(folder):
    folder.run("node", "--host", "a.example", "--days", 20)
    folder.run("crl")
    node, authority = folder.certs / "a.example.pem", folder.certs / "ca.pem"
    shown = folder.run("show", authority, folder.certs / "crl.pem").stdout
    head, row, crl = shown.splitlines()
    assert head.split()[:3] == ["FILE", "SUBJECT", "NAMES"]
    assert "CN=Test authority" in row
    assert "0 revoked" in crl
    assert "expiring" in folder.run("show", node, code=1).stdout
    folder.run("show", node, "--warn-days", 10)
    report = folder.json("show", node, "--warn-days", 10)
    leaf, issuer = report["certificates"]
    assert leaf["names"] == ["DNS:a.example"]
    assert leaf["days_left"] == 19
    assert issuer["is_authority"]
    fingerprint = openssl("x509", "-in", node, "-noout", "-fingerprint", "-sha256")
    assert leaf["sha256"] == fingerprint.split("=")[1].strip().replace(":", "").lower()
    serial = openssl("x509", "-in", node, "-noout", "-serial").split("=")[1].strip()
    assert leaf["serial"].replace(":", "") == serial
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old/O=Elsewhere"),
        *("-keyout", folder.path / "old.key", "-out", folder.path / "old.pem", "-days", "1"),
    )
    (old,) = folder.json("show", folder.path / "old.pem", code=1)["certificates"]
    assert old["state"] == "expiring"
    assert old["key"] == "RSA2048"
    assert "private key" in folder.refusal("show", folder.path / "old.key", code=1)


def test_authorities_made_by_openssl_are_used_too(empty):
    empty.certs.mkdir()
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes"),
        *("-subj", "/O=Example/CN=Own root", "-days", "30"),
        *("-keyout", empty.certs / "ca.key", "-out", empty.certs / "ca.pem"),
    )
    empty.run("client", "--name", "alice", "--days", 10)
    empty.run("revoke", empty.certs / "alice.pem")
    assert "revoked" in openssl(
        *("verify", "-CAfile", empty.certs / "ca.pem", "-crl_check"),
        *("-CRLfile", empty.certs / "crl.pem", empty.certs / "alice.pem"),
        code=2,
    )
    assert "verify OK" in crl_text(empty)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("node",), 64, "--host"),
        (("node", "--host", "gateway.example:8080"), 64, "write 'gateway.example'"),
        (("node", "--host", "10.0.0.256"), 64, "no IPv4 address"),
        (("node", "--host", "bad_name"), 64, "'_'"),
        (("node", "--host", "a", "--days", 0), 64, "1 to 825"),
        (("node", "--host", "a", "--curve", "p521"), 64, "p256"),
        (("node", "--host", "a", "--out", "../a"), 64, "--dir"),
        (("node", "--host", "ca"), 64, "--out"),
        (("client",), 64, "--name"),
        (("client", "--name", "a\x1b[31m"), 64, "cannot be seen"),
        (("client", "--name", "a", "--tenant", "a/b"), 64, "tenant"),
        (("client", "--name", "a", "--email", "a"), 64, "mail address"),
        (("client", "--name", "a", "--days", 826), 64, "1 to 825"),
        (("init", "--days", 7301, "--dir", "other"), 64, "1 to 7300"),
        (("node", "--host", "a", "--dir", "none"), 1, "martlet certs init"),
        (("revoke",), 64, "--serial"),
        (("revoke", "none.pem"), 1, "none.pem"),
        (("revoke", "certs/ca.pem"), 64, "authority itself"),
        (("revoke", "--serial", "xyz"), 64, "hexadecimal"),
        (("revoke", "--serial", "0A", "--reason", "boredom"), 64, "superseded"),
        (("crl", "--days", 366), 64, "1 to 365"),
        (("show",), 64, "files"),
        (("show", "none.pem"), 1, "none.pem"),
        (("show", "certs"), 1, "certs"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_the_remedy(folder, arguments, code, message):
    said = folder.refusal(*arguments, code=code)
    assert message in said
    assert "\x1b" not in said
    assert set(os.listdir(folder.certs)) == {"ca.pem", "ca.key"}
    assert not (folder.path / "other").exists()


def test_keys_that_do_not_fit_or_cannot_be_read_are_told(folder):
    stranger = Folder(folder.martlet, folder.path / "elsewhere")
    stranger.path.mkdir()
    stranger.run("init")
    key = folder.certs / "ca.key"
    (stranger.certs / "ca.key").rename(key)
    assert "does not belong" in folder.refusal("crl", code=1)
    key.write_text("nonsense", encoding="ascii")
    assert "no private key" in folder.refusal("crl", code=1)
    openssl(
        *("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-aes256", "-pass", "pass:secret", "-out", key),
    )
    assert "passphrase" in folder.refusal("crl", code=1)
    key.unlink()
    assert "ca.key" in folder.refusal("crl", code=1)
    if os.geteuid() != 0:
        key.touch(mode=0)
        assert "ca.key" in folder.refusal("crl", code=77)


def test_an_expired_authority_signs_nothing(empty):
    empty.certs.mkdir()
    configuration = empty.path / "ca.cnf"
    configuration.write_text(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nserial = serial\nnew_certs_dir = .\n"
        "default_md = sha256\npolicy = any\nx509_extensions = v3\n[any]\ncommonName = supplied\n"
        "[v3]\nbasicConstraints = critical, CA:TRUE\n",
        encoding="ascii",
    )
    (empty.path / "index").touch()
    (empty.path / "serial").write_text("01\n", encoding="ascii")
    key, request = empty.certs / "ca.key", empty.path / "ca.csr"
    openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=Old", "-keyout", key, "-out", request),
    )
    subprocess.run(
        [
            *("openssl", "ca", "-batch", "-selfsign", "-config", configuration, "-keyfile", key),
            *("-in", request, "-out", empty.certs / "ca.pem", "-notext"),
            *("-startdate", "20200101000000Z", "-enddate", "20210101000000Z"),
        ],
        cwd=empty.path,
        capture_output=True,
        timeout=60,
        check=True,
    )
    said = empty.refusal("node", "--host", "a.example", code=1)
    assert "expired on 2021-01-01T00:00:00Z" in said
    assert "martlet certs init" in said
    (shown,) = empty.json("show", empty.certs / "ca.pem", code=1)["certificates"]
    assert shown["state"] == "expired"
    assert shown["days_left"] < 0
