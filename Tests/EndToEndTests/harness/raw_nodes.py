"""Nodes written byte by byte, which record what reaches them and answer as no good node would."""

import contextlib
import socket
import threading

from harness.faults import well_by_its_word

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood"


class Peer:
    """A connection that a node has taken."""

    def __init__(self, connection):
        self.socket = connection
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        """Closes as a program does that has sent all: what was sent still arrives."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        self.socket.close()

    def read_head(self):
        """The bytes of the next request's head, with the empty line; nothing at the end."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.receive():
                return b""
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read(self, count):
        while len(self.buffer) < count and self.receive():
            pass
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_line(self):
        while b"\r\n" not in self.buffer and self.receive():
            pass
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def read_chunks(self):
        """The content of a chunked message, and the lines of its trailer."""
        content = b""
        while size := self.read_chunk_size():
            content += self.read(size)
            self.read_line()
        trailer = []
        while line := self.read_line():
            trailer.append(line)
        return content, trailer

    def read_chunk_size(self):
        line = self.read_line()
        if not line:
            raise ConnectionError("closed in the middle of a message")
        return int(line, 16)

    def read_body(self, head):
        lowered = head.lower()
        if b"transfer-encoding: chunked" in lowered:
            return self.read_chunks()[0]
        if b"content-length:" in lowered:
            return self.read(int(lowered.split(b"content-length:")[1].split(b"\r\n")[0]))
        return b""

    def receive(self):
        with contextlib.suppress(OSError):
            data = self.socket.recv(1 << 18)
            self.buffer += data
            return len(data)
        return 0


class RawNode:
    """A node that is well by all that it says of itself, and answers anything else by
    `answer(node, peer, head)`; where that returns `False`, the connection ends.

    `heads` are those of the requests that came, health checks aside, and `bodies` what follows if
    nobody answers otherwise.
    """

    def __init__(self, answer=None):
        self.answer = answer or RawNode.answer_well
        self.heads = []
        self.bodies = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.pages = well_by_its_word()
        self.peers = []

    @property
    def address(self):
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def count(self):
        return len(self.heads)

    def answer_well(self, peer, head):
        self.bodies.append(peer.read_body(head))
        peer.send(GOOD)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.peers.append(connection)
                threading.Thread(target=self.serve, args=(Peer(connection),), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError), contextlib.closing(peer):
            while head := peer.read_head():
                path = head.split(b" ")[1].decode("latin-1")
                if head.startswith(b"GET ") and path in self.pages:
                    page = self.pages[path]
                    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(page) + page)
                    continue
                self.heads.append(head)
                if self.answer(self, peer, head) is False:
                    return


@contextlib.contextmanager
def raw_node(answer=None):
    node = RawNode(answer)
    threading.Thread(target=node.accept, daemon=True).start()
    try:
        yield node
    finally:
        node.listener.close()
        for connection in node.peers:
            connection.close()
