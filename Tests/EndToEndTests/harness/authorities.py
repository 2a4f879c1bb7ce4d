"""Certificates with something wrong with them, which neither openssl's command line nor `martlet
certs` would make."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
DAY = datetime.timedelta(days=1)
HERE = ("localhost", "127.0.0.1")


class Issued:
    """A certificate and its key, in files; what it signs may be shown with it or without."""

    def __init__(self, folder, name, signer=None, **settings):
        self.folder = folder
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._made(signer, **settings)
        self.file = folder / f"{name}.pem"
        self.key_file = folder / f"{name}.key"
        self.file.write_bytes(self.pem)
        self.key_file.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pair(self):
        return self.file, self.key_file

    def with_chain(self, *others):
        """The same pair, with other certificates behind its own."""
        chain = self.folder / f"{self.name}.chain.pem"
        chain.write_bytes(self.pem + b"".join(each.pem for each in others))
        return chain, self.key_file

    def issue(self, name, **settings):
        """Another certificate, signed by this one."""
        return Issued(self.folder, name, self, **settings)

    def revocations(self, *revoked):
        """The file of a list of certificates that this authority has revoked."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - DAY)
            .next_update(now + DAY)
        )
        for each in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.certificate.serial_number)
                .revocation_date(now - DAY)
                .build()
            )
        file = self.folder / f"{self.name}.crl.pem"
        made = builder.sign(self.key, hashes.SHA256())
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return file

    def _made(
        self,
        signer,
        names=HERE,
        purposes=(SERVER, CLIENT),
        since=-DAY,
        until=DAY,
        is_authority=False,
    ):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        issuer, key = (signer.certificate.subject, signer.key) if signer else (subject, self.key)
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .serial_number(x509.random_serial_number())
            .public_key(self.key.public_key())
            .not_valid_before(now + since)
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if is_authority:
            usage = x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        else:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=False)
            if names:
                builder = builder.add_extension(
                    x509.SubjectAlternativeName([general(name) for name in names]), critical=False
                )
        return builder.sign(key, hashes.SHA256())


def general(name):
    """A name of DNS, or an address, as certificates hold it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
