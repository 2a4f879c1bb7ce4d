"""Requests in HTTP/1.1 that two parsers could read in two ways."""

PATH = b"/v1/models/half_plus_two:predict"
BODY = b'{"instances": [1.0]}'
SMUGGLED = b"GET /v1/models/half_plus_two HTTP/1.1\r\nHost: martlet.test\r\n\r\n"


def request(*headers, body=BODY, line=b"POST " + PATH + b" HTTP/1.1"):
    return b"\r\n".join([line, *headers]) + b"\r\n\r\n" + body


HOST = b"Host: martlet.test"
LENGTH = b"Content-Length: 20"

MALFORMED = {
    "two different lengths": request(HOST, LENGTH, b"Content-Length: 5"),
    "list of different lengths": request(HOST, b"Content-Length: 20, 5"),
    "length and chunks": request(
        HOST, LENGTH, b"Transfer-Encoding: chunked", body=b"14\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "space before the colon of the length": request(HOST, b"Content-Length : 20"),
    "space before the colon of another header": request(HOST, b"X-Bird : swift", LENGTH),
    "no host": request(LENGTH),
    "two hosts": request(HOST, b"Host: other.test", LENGTH),
    "negative length": request(HOST, b"Content-Length: -20"),
    "length with a sign": request(HOST, b"Content-Length: +20"),
    "length in hexadecimal": request(HOST, b"Content-Length: 0x14"),
    "length beyond 64 bits": request(HOST, b"Content-Length: 18446744073709551636"),
    "folded header": request(HOST, LENGTH, b"X-Bird: swift\r\n swallow"),
    "nul in a header": request(HOST, LENGTH, b"X-Bird: sw\0ift"),
    "header without a colon": request(HOST, LENGTH, b"X-Bird"),
    "empty header name": request(HOST, LENGTH, b": swift"),
    "chunk size that is no number": request(
        HOST, b"Transfer-Encoding: chunked", body=b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "chunk size beyond 64 bits": request(
        HOST, b"Transfer-Encoding: chunked", body=b"1" * 17 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "chunk longer than it says": request(
        HOST, b"Transfer-Encoding: chunked", body=b"4\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "no method": request(HOST, LENGTH, line=PATH + b" HTTP/1.1"),
    "no version": request(HOST, LENGTH, line=b"POST " + PATH),
}
