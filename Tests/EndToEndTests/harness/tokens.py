"""JSON web tokens and the keys that verify them, made by openssl."""

import base64
import json
import subprocess
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class SigningKey:
    """A private key of an issuer: RSA for RS256, or P-256 for ES256."""

    def __init__(self, folder, name, algorithm="RS256"):
        self.name = name
        self.algorithm = algorithm
        self.file = folder / f"{name}.signing-key"
        kinds = {
            "RS256": ("RSA", "rsa_keygen_bits:2048"),
            "ES256": ("EC", "ec_paramgen_curve:P-256"),
        }
        kind, option = kinds[algorithm]
        run("openssl", "genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", self.file)

    def public(self):
        """The public key as RFC 7517 has it."""
        key = {"kid": self.name, "use": "sig", "alg": self.algorithm}
        if self.algorithm == "RS256":
            shown = run("openssl", "rsa", "-in", self.file, "-noout", "-modulus").decode()
            modulus = bytes.fromhex(shown.strip().removeprefix("Modulus="))
            return key | {"kty": "RSA", "n": base64url(modulus), "e": "AQAB"}
        encoded = run("openssl", "pkey", "-in", self.file, "-pubout", "-outform", "DER")
        # It ends with the point, uncompressed.
        x, y = encoded[-64:-32], encoded[-32:]
        return key | {"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}

    def pem(self):
        return run("openssl", "pkey", "-in", self.file, "-pubout")

    def token(self, header=None, **claims):
        """A token with these claims; one of `None` is left out."""
        header = {"alg": self.algorithm, "kid": self.name, "typ": "JWT"} | (header or {})
        signed = signing_input(header, claims)
        return f"{signed}.{base64url(self.sign(signed.encode()))}"

    def sign(self, data):
        signature = run("openssl", "dgst", "-sha256", "-sign", self.file, given=data)
        return signature if self.algorithm == "RS256" else raw_signature(signature)


def signing_input(header, claims):
    now = int(time.time())
    claims = {"iat": now, "exp": now + 600} | claims
    claims = {name: value for name, value in claims.items() if value is not None}
    return ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))


def raw_signature(encoded):
    """Both numbers of a signature of P-256, which openssl writes in DER, in 32 bytes each."""
    numbers, place = b"", 2
    for _ in range(2):
        length = encoded[place + 1]
        number = encoded[place + 2 : place + 2 + length]
        numbers += number.lstrip(b"\0").rjust(32, b"\0")
        place += 2 + length
    return numbers


def key_set(*keys):
    return json.dumps({"keys": [key.public() for key in keys]})


def run(*command, given=None):
    return subprocess.run(
        [str(word) for word in command], input=given, capture_output=True, check=True, timeout=60
    ).stdout
