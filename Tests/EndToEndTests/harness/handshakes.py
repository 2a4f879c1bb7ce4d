"""Handshakes of a current OpenSSL, that of pyOpenSSL, which knows the hybrid key exchange.

What groups are offered is told to OpenSSL by a configuration file, which it reads once a process:
each handshake therefore is one of its own, in which this file runs as a script.
"""

import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

SECONDS = 60
CONFIGURATION = """openssl_conf = start
[start]
ssl_conf = tls
[tls]
system_default = offered
[offered]
"""


@dataclasses.dataclass(frozen=True)
class Handshake:
    """What a client has seen; all but `error` is of no meaning if there was one."""

    error: str = ""
    version: str = ""
    group: str = ""
    suite: str = ""
    # How often the client began: twice if it had sent key shares that the server did not want.
    hellos: int = 0
    # The status line of what was answered to a request.
    answer: str = ""


def shake(address, authority, groups=None, suites=None, client=None, piece=None):
    """One connection to `localhost` at this address, and one request.

    - `groups`, `suites`: what is offered for the key exchange and of TLS 1.3's cipher suites, the
      preferred first, separated by colons; OpenSSL's own lists unless given. Of groups, OpenSSL 3.5
      sends key shares for the first alone.
    - `client`: the files of the certificate to show, and of its key.
    - `piece`: sends what is sent in pieces of so many bytes.
    """
    wanted = {
        "address": address,
        "authority": str(authority.certificate),
        "suites": suites,
        "client": client and [str(path) for path in client],
        "piece": piece or 1 << 16,
    }
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder, "openssl.cnf")
        offered = f"Groups = {groups}\n" if groups else ""
        configuration.write_text(CONFIGURATION + offered, encoding="ascii")
        ended = subprocess.run(
            [sys.executable, "-P", __file__, json.dumps(wanted)],
            env={**os.environ, "OPENSSL_CONF": str(configuration)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3 * SECONDS,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    return Handshake(**json.loads(ended.stdout))


class Connection:
    """TLS in memory, and its bytes by a socket, so that they can be looked at."""

    def __init__(self, wanted):
        from OpenSSL import SSL

        self.ssl = SSL
        self.piece = wanted["piece"]
        self.sent = bytearray()
        host, port = wanted["address"].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), SECONDS)
        # Pieces would otherwise be put together again.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = SSL.Connection(self.context(wanted), None)
        self.tls.set_tlsext_host_name(b"localhost")
        self.tls.set_connect_state()

    def context(self, wanted):
        context = self.ssl.Context(self.ssl.TLS_CLIENT_METHOD)
        context.load_verify_locations(wanted["authority"])
        context.set_verify(self.ssl.VERIFY_PEER)
        if wanted["suites"]:
            context.set_tls13_ciphersuites(wanted["suites"].encode("ascii"))
        if wanted["client"]:
            certificate, key = wanted["client"]
            context.use_certificate_chain_file(certificate)
            context.use_privatekey_file(key)
        return context

    def until_done(self, step):
        """Repeats a step of TLS, which may need bytes of the server, until it is done."""
        while True:
            try:
                done = step()
            except self.ssl.WantReadError:
                self.flush()
                received = self.socket.recv(1 << 16)
                if not received:
                    raise EOFError from None
                self.tls.bio_write(received)
            else:
                self.flush()
                return done

    def flush(self):
        try:
            waiting = self.tls.bio_read(1 << 16)
        except self.ssl.WantReadError:
            return
        self.sent += waiting
        for start in range(0, len(waiting), self.piece):
            self.socket.sendall(waiting[start : start + self.piece])

    def hellos(self):
        """The ClientHellos that were sent: those of the records in the clear (RFC 8446, 5.1)."""
        count, start = 0, 0
        while start < len(self.sent):
            is_handshake, length = self.sent[start] == 22, self.sent[start + 3 : start + 5]
            count += is_handshake and self.sent[start + 5] == 1
            start += 5 + int.from_bytes(length, "big")
        return count

    def run(self):
        try:
            self.until_done(self.tls.do_handshake)
            # A server of TLS 1.3 refuses a client's certificate only after the client is done.
            request = b"GET /healthz/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            self.until_done(lambda: self.tls.send(request))
            answer = self.until_done(lambda: self.tls.recv(1 << 16))
        except EOFError:
            return Handshake(error="the server hung up", hellos=self.hellos())
        except self.ssl.Error as error:
            return Handshake(error=str(error) or repr(error), hellos=self.hellos())
        return Handshake(
            version=self.tls.get_protocol_version_name(),
            group=self.tls.get_group_name(),
            suite=self.tls.get_cipher_name(),
            hellos=self.hellos(),
            answer=answer.split(b"\r\n")[0].decode("latin-1"),
        )


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(Connection(json.loads(sys.argv[1])).run())))
