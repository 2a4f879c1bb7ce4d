"""Small servers that behave as a test says, for clients under test."""

import contextlib
import http.server
import json
import socket
import threading
import time


class StandIn(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer, pages):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.pages = pages
        # Header fields of the pages.
        self.page_fields = {}
        self.requests = []
        # Connections over which something was posted: those that are open, and the most at once.
        self.connections = set()
        self.connections_most = 0
        self.counting = threading.Lock()
        self.sockets = set()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_port}"

    def die(self):
        """Ends as a process does: it listens no more, and its connections are closed."""
        self.shutdown()
        self.server_close()
        for each in list(self.sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        """Clients that go away are no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and content would otherwise wait for each other.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        with self.server.counting:
            self.server.connections.add(self.client_address)
            self.server.connections_most = max(
                self.server.connections_most, len(self.server.connections)
            )
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.answer(self, body)
        self.wfile.flush()

    def do_GET(self):
        page = self.server.pages.get(self.path)
        self.send(404 if page is None else 200, page or b"", **self.server.page_fields)

    def setup(self):
        super().setup()
        self.server.sockets.add(self.connection)

    def finish(self):
        super().finish()
        self.server.sockets.discard(self.connection)
        with self.server.counting:
            self.server.connections.discard(self.client_address)

    def log_message(self, *_):
        pass

    def send(self, status, body, **headers):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


@contextlib.contextmanager
def stand_in(answer, pages=None):
    """A server that answers each POST by `answer(handler, body)`, and each GET by its page."""
    with StandIn(answer, pages or {}) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


def halving(handler, body):
    """Answers as the model half_plus_two does; nothing where it cannot read what it is asked."""
    try:
        (number,) = json.loads(body)["instances"]
        answer = json.dumps({"predictions": [number / 2 + 2]}).encode("ascii")
    except (ValueError, KeyError, TypeError):
        with contextlib.suppress(OSError):
            handler.send(400, b'{"error": "cannot be read"}')
        return
    with contextlib.suppress(OSError):
        handler.send(200, answer)


def tokens(count, first_seconds=0.0, seconds=0.0):
    """Answers as a language model would: `count` tokens, streamed if the client asks so."""

    def answer(handler, body):
        is_chat = handler.path.endswith("/chat/completions")
        if not json.loads(body).get("stream"):
            handler.send(200, b'{"choices": [{"text": "done"}]}')
            return
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        time.sleep(first_seconds)
        for number in range(count):
            if number:
                time.sleep(seconds)
            choice = {"delta": {"content": f"{number} "}} if is_chat else {"text": f"{number} "}
            handler.send_chunk(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        handler.send_chunk(b"data: [DONE]\n\n")
        handler.wfile.write(b"0\r\n\r\n")

    return answer
