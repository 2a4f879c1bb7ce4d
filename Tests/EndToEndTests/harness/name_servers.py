"""A name server of the test's own, which tells what the test says of a zone `test`."""

import contextlib
import threading

from dnslib import AAAA, QTYPE, RCODE, RR, SRV, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

TTL_SECONDS = 1

# As much as a datagram holds on any way; what is longer is asked for over TCP.
DATAGRAM_BYTES = 512


class NameServer(BaseResolver):
    """Answers for names that it was told of; any other does not exist.

    `asked` counts the questions that came.
    """

    def __init__(self):
        self.asked = 0
        self.port = 0
        self._lock = threading.Lock()
        self._records = {}
        self._servers = []

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def set_addresses(self, name, *addresses):
        """Gives a name these addresses and no others."""
        self._set({name: [record_of(address) for address in addresses]})

    def set_services(self, name, *places):
        """Offers a service at these places and no others; see `place`.

        Each has a host of its own, for a name may have an address once only.
        """
        records = {name: []}
        for number, (node, weight, priority) in enumerate(places, 1):
            host, port = getattr(node, "address", node).rsplit(":", 1)
            target = f"node-{port}-{number}.test"
            records[name].append(SRV(priority, weight, int(port), target))
            records[target] = [record_of(host)]
        self._set(records)

    def remove(self, name):
        with self._lock:
            del self._records[key(name)]

    def resolve(self, request, handler):
        """What the library asks for every question."""
        reply = request.reply()
        with self._lock:
            self.asked += 1
            records = self._records.get(key(request.q.qname))
        if records is None:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        wanted = QTYPE[request.q.qtype]
        for record in records:
            if type(record).__name__ == wanted:
                reply.add_answer(
                    RR(request.q.qname, request.q.qtype, ttl=TTL_SECONDS, rdata=record)
                )
        if handler.protocol == "udp" and len(reply.pack()) > DATAGRAM_BYTES:
            # With its question, which the library leaves out, and resolvers look for.
            reply.rr = []
            reply.header.tc = 1
        return reply

    def start(self):
        """Listens over UDP and TCP, on the same port as before if it has listened before."""
        quiet = DNSLogger(logf=lambda _: None)
        for is_tcp in (True, False):
            server = DNSServer(self, "127.0.0.1", self.port, tcp=is_tcp, logger=quiet)
            self.port = server.server.server_address[1]
            server.start_thread()
            self._servers.append(server)

    def stop(self):
        """Nobody listens on its port any more."""
        for server in self._servers:
            server.stop()
            server.server.server_close()
        self._servers = []

    def _set(self, records):
        with self._lock:
            self._records |= {key(name): values for name, values in records.items()}


def place(node, weight=1, priority=0):
    """A node, or its address, as a service is offered there."""
    return node, weight, priority


def key(name):
    return str(name).rstrip(".").lower()


def record_of(address):
    return AAAA(address) if ":" in address else A(address)


@contextlib.contextmanager
def name_server():
    server = NameServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
