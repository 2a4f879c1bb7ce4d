"""An issuer of tokens that publishes its keys over TLS, and gateways that trust its authority."""

import contextlib
import functools
import http.server
import shutil
import ssl
import subprocess
import threading

import pytest

from harness.tokens import key_set

PATH = "/keys"
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

# Only the processes of the prefix see the other file.
MOUNT = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = self.server.issuer.answer
        self.server.issuer.fetches += self.path == PATH
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, issuer, port):
        self.issuer = issuer
        super().__init__(("127.0.0.1", port), Handler)

    def get_request(self):
        connection, address = super().get_request()
        connection.settimeout(30)
        # The handshake is left to the thread of the connection: nobody waits for a slow client.
        secured = self.issuer.context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return secured, address

    def handle_error(self, request, client_address):
        """Clients that do not trust the certificate are no news."""


class Issuer:
    """Publishes keys at `url` while it is up, by the certificate that it was given last."""

    def __init__(self, pair, *keys):
        self.fetches = 0
        self.answer = 200, b""
        self.publish(*keys)
        self.show(pair)
        self._server = None
        self._port = 0
        self.start()

    @property
    def url(self):
        return f"https://localhost:{self._port}{PATH}"

    def publish(self, *keys):
        self.answer = 200, key_set(*keys).encode()

    def show(self, pair):
        """Shows another certificate to connections that come from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.context = context

    def start(self):
        self._server = Server(self, self._port)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """Refuses connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextlib.contextmanager
def issuer(pair, *keys):
    server = Issuer(pair, *keys)
    try:
        yield server
    finally:
        server.stop()


def trusting(authority):
    """The prefix of a command that takes one authority for the only one its system trusts."""
    if not can_mount():
        pytest.skip("this machine lets nobody mount a file in a namespace of one's own")
    return (*unshare(), MOUNT, "sh", str(authority), SYSTEM_AUTHORITIES)


def unshare():
    return shutil.which("unshare") or "unshare", "--map-root-user", "--mount", "sh", "-c"


@functools.cache
def can_mount():
    command = (*unshare(), MOUNT, "sh", SYSTEM_AUTHORITIES, SYSTEM_AUTHORITIES, "true")
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    return False
