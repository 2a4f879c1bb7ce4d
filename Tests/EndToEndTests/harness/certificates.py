"""Certificates made for one test, by openssl or by `martlet certs`, and clients that use them."""

import contextlib
import datetime
import subprocess

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.clients import CHANNEL_OPTIONS, GrpcClient, RestClient


class Authority:
    """A certificate authority with a folder of its own."""

    def __init__(self, folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.certificate = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        openssl("req", "-x509", *self._request(name), "-days", "30", "-out", self.certificate)

    def issue(self, name, alternative_names="DNS:localhost,IP:127.0.0.1"):
        """The files of a certificate that this authority signs, and of its key."""
        certificate = self.folder / f"{name}.pem"
        key = self.folder / f"{name}.key"
        openssl(
            "req",
            "-x509",
            *self._request(name),
            *("-CA", self.certificate, "-CAkey", self.key),
            *("-days", "30", "-out", certificate),
            *("-addext", f"subjectAltName={alternative_names}"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
        )
        return certificate, key

    def _request(self, name):
        return (
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", self.folder / f"{name}.key"),
        )


class Certificates:
    """An authority that `martlet certs` made, in a folder of its own."""

    def __init__(self, martlet, folder):
        folder.mkdir(exist_ok=True)
        self.martlet = martlet
        self.folder = folder
        self.run("init")
        self.certificate = folder / "certs" / "ca.pem"

    def run(self, *arguments):
        ended = self.martlet.run("certs", *arguments, cwd=self.folder)
        assert ended.returncode == 0, ended.stderr

    def node(self, *flags):
        """The files of a certificate for this machine."""
        self.run("node", "--host", "localhost", "--host", "127.0.0.1", *flags)
        return self.pair("localhost")

    def client(self, name, *flags):
        self.run("client", "--name", name, *flags)
        return self.pair(name)

    def brief_client(self, name, seconds):
        """The files of a client's certificate that expires in so many seconds, and of its key."""
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = serialization.load_pem_private_key(
            self.certificate.with_suffix(".key").read_bytes(), password=None
        )
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(authority.subject)
            .serial_number(x509.random_serial_number())
            .public_key(key.public_key())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(seconds=seconds))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        pair = self.pair(name)
        pair[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair

    def pair(self, name):
        return tuple(self.folder / "certs" / f"{name}{suffix}" for suffix in (".pem", ".key"))


def tls(pair, **settings):
    """The section `tls` of a gateway's policy."""
    return {"certificate_file": str(pair[0]), "key_file": str(pair[1]), **settings}


def openssl(*arguments):
    subprocess.run(
        ["openssl", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=60
    )


def curl(*arguments):
    """The exit code, the status (0 without an answer) and the body of one request."""
    finished = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", "--write-out", "\n%{http_code}"]
        + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    body, _, status = finished.stdout.rpartition("\n")
    return finished.returncode, int(status or 0), body


def secure_rest(address, authority, client=None):
    """A REST client that trusts one authority, and shows a certificate if there is one."""
    rest = RestClient(address)
    rest.url = f"https://{address}"
    rest.session.verify = str(authority.certificate)
    rest.session.cert = tuple(map(str, client)) if client else None
    return contextlib.closing(rest)


def secure_grpc(address, authority, client=None):
    """A gRPC client that trusts one authority, and shows a certificate if there is one."""
    certificate, key = client or (None, None)
    credentials = grpc.ssl_channel_credentials(
        authority.certificate.read_bytes(),
        key.read_bytes() if key else None,
        certificate.read_bytes() if certificate else None,
    )
    return contextlib.closing(
        GrpcClient(address, grpc.secure_channel(address, credentials, CHANNEL_OPTIONS))
    )
