"""Listeners that a connection cannot be made to, and does not fail to be made to either."""

import contextlib
import socket

# Linux takes one more than it is told.
BACKLOG = 1


class StalledListener:
    """Looks well to checks by TCP until it is `full()`: whoever connects then waits in vain."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(BACKLOG)
        self.fillers = []

    @property
    def address(self):
        host, port = self.listener.getsockname()
        return f"{host}:{port}"

    def fill(self):
        """Has the kernel's queue full, whose connections nobody takes."""
        for _ in range(BACKLOG + 20):
            filler = socket.socket()
            self.fillers.append(filler)
            filler.settimeout(0.3)
            try:
                filler.connect(self.listener.getsockname())
            except TimeoutError:
                return
        raise AssertionError("the kernel takes connections without end")

    def close(self):
        for filler in self.fillers:
            filler.close()
        self.listener.close()


def stalled_listener():
    return contextlib.closing(StalledListener())


# Once at the start, when there is room yet.
ONE_CHECK = {"protocol": "tcp", "interval_seconds": 3600}
