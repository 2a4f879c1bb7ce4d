"""Streams as they are on the wire: their frames, and how they end."""

import json

from harness import http1


def begin(node, path, body):
    """A connection that has asked, and closes with the answer."""
    connection = http1.RawConnection(node.address, seconds=60)
    connection.send(http1.post(path, body, "Connection: close"))
    return connection


def read(connection):
    """The status of the answer, its content, and whether that is whole."""
    head, _, rest = connection.read_until_closed().partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if b"\r\ntransfer-encoding: chunked" not in head.lower():
        return status, rest, True
    content = []
    while rest:
        size, separator, rest = rest.partition(b"\r\n")
        length = int(size, 16) if separator else -1
        if length == 0:
            return status, b"".join(content), True
        if length < 0 or len(rest) < length + 2:
            break
        content.append(rest[:length])
        rest = rest[length + 2 :]
    return status, b"".join(content), False


def frames(content):
    """The data of the events that are whole, JSON but for `[DONE]`."""
    *whole, _ = content.decode("utf-8", "replace").split("\n\n")
    assert all(frame.startswith("data: ") for frame in whole), whole
    data = [frame.removeprefix("data: ") for frame in whole]
    return [piece if piece == "[DONE]" else json.loads(piece) for piece in data]


def reasons(events):
    """Why each choice ended, by its index; fails if it ends twice or goes on behind its end."""
    ended = {}
    for event in events:
        for choice in [] if event == "[DONE]" else event.get("choices", []):
            assert choice["index"] not in ended, f"more of a choice after its end: {choice}"
            if choice["finish_reason"] is not None:
                ended[choice["index"]] = choice["finish_reason"]
    return ended


def terminals(events):
    """Those events that end a stream: `[DONE]`, or errors."""
    return [event for event in events if event == "[DONE]" or "error" in event]
