#!/usr/bin/env python3
"""Can a tenant tell by the time of an answer what another tenant has asked for?

Tenant A asks for a number, and its answer is kept by the gateway's cache. Tenant B then asks for
the same number, or for one that nobody has asked for, in random order and over one connection; both
kinds of probes come behind the same traffic. The two sets of times are compared by ranks
(Mann-Whitney's U, two-sided, normal approximation). That the method can tell at all is shown by the
same comparison for A, who gets its own answers from the cache.
"""

import argparse
import dataclasses
import hashlib
import json
import math
import random
import socket
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import options
import outputs
from end_to_end import launching
from harness.policies import follow, pool
from machine import describe_machine
from peers.paths import progress

SECRETS = {"a": "mk_tenant-a-0123456789", "b": "mk_tenant-b-0123456789"}
CACHE_FIELD = b"x-martlet-cache"
# All numbers have as many digits, so that no request is longer than another.
FIRST, LAST = 1_000_000, 9_999_999
# Two-sided: chance alone makes it smaller in one run of a hundred.
ALPHA = 0.01
HEAD = (
    *("who probes", "probes for what is kept", "for what is new", "hits"),
    *("mean ms: kept", "new", "median ms: kept", "new", "kept takes longer in", "p"),
)
MARKERS = ("<!-- timing: begin -->", "<!-- timing: end -->")


class Client:
    """One tenant's connection."""

    def __init__(self, address: str, tenant: str) -> None:
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._secret = SECRETS[tenant]

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def ask(self, number: int) -> tuple[float, bool]:
        """The seconds until the whole answer is there, and whether it says it was cached."""
        body = b'{"instances": [%d]}' % number
        head = (
            "POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: martlet.test\r\n"
            f"X-API-Key: {self._secret}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        data = head.encode("ascii") + body
        began = time.perf_counter()
        self._socket.sendall(data)
        head_lines, answer = self._read()
        took = time.perf_counter() - began
        if not head_lines[0].startswith(b"http/1.1 200"):
            raise AssertionError(f"{head_lines[0]!r} {answer!r}")
        if json.loads(answer)["predictions"] != [number / 2 + 2]:
            raise AssertionError(f"the answer of another to {number}: {answer!r}")
        return took, any(line.startswith(CACHE_FIELD) for line in head_lines)

    def _read(self) -> tuple[list[bytes], bytes]:
        """The lines of an answer's head, in lower case, and its content."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, content = received.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        while len(content) < lengths[0]:
            content += self._receive()
        return lines, content

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 16)
        if not data:
            raise AssertionError("the gateway closed the connection")
        return data


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Times in milliseconds of probes for what is kept, and for what is not."""

    who: str
    kept: list[float]
    new: list[float]
    hits: int

    @property
    def ranks(self) -> tuple[float, float]:
        """The chance that a probe for what is kept takes longer, and the p-value of 1/2."""
        return mann_whitney(np.array(self.kept), np.array(self.new))


def mann_whitney(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The share of pairs in which `one` is larger, ties by half, and the two-sided p-value.

    Normal approximation with the correction for ties, as it stands in any book of statistics.
    """
    m, n = len(one), len(other)
    _, places, counts = np.unique(
        np.concatenate([one, other]), return_inverse=True, return_counts=True
    )
    # The mean rank of each value.
    ranks = np.cumsum(counts) - (counts - 1) / 2
    u = float(ranks[places][:m].sum()) - m * (m + 1) / 2
    total = m + n
    ties = float((counts.astype(float) ** 3 - counts).sum())
    variance = m * n / 12 * ((total + 1) - ties / (total * (total - 1)))
    if variance <= 0:
        return 0.5, 1.0
    z = (abs(u - m * n / 2) - 0.5) / math.sqrt(variance)
    return u / (m * n), min(1.0, 2 * (1 - statistics.NormalDist().cdf(max(z, 0.0))))


def policy(folder: Path, address: str) -> dict[str, object]:
    """Two tenants, whose predictions are kept."""
    keys = [
        {"id": name, "sha256": hashlib.sha256(secret.encode()).hexdigest(), "tenant": name}
        for name, secret in SECRETS.items()
    ]
    file = folder / "credentials.yaml"
    file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    return {
        "access": {"api_keys_file": str(file)},
        "pools": [pool("main", address)],
        "routes": [{"name": "r", "cache": True}],
        "cache": {
            "ttl_seconds_min": 3600,
            "ttl_seconds_max": 3600,
            "memory_bytes": "1GiB",
        },
    }


def compare(who: str, address: str, numbers: list[int], seed: int) -> Comparison:
    """Probes in random order; of three numbers A asks for the first, and the prober for one."""
    keeper, prober = Client(address, "a"), Client(address, who)
    choice = random.Random(seed)
    kept: list[float] = []
    new: list[float] = []
    hits = 0
    try:
        for first, second in zip(numbers[::2], numbers[1::2], strict=True):
            keeper.ask(first)
            is_kept = choice.random() < 0.5
            took, is_hit = prober.ask(first if is_kept else second)
            hits += is_hit
            (kept if is_kept else new).append(took * 1000)
    finally:
        keeper.close()
        prober.close()
    return Comparison(who, kept, new, hits)


def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """The comparison for B, and for A, who is to be told apart."""
    with launching("timing") as launcher:
        node = launcher.serve()
        gateway = follow(launcher, policy(launcher.directory, node.address), "--no-access-log")
        drawn = random.Random(arguments.seed).sample(
            range(FIRST, LAST), 2 * (arguments.probes + arguments.control + WARM_UP)
        )
        compare("b", gateway.address, drawn[: 2 * WARM_UP], arguments.seed)
        rest = drawn[2 * WARM_UP :]
        progress(f"{arguments.probes:,} probes of tenant B")
        found = compare("b", gateway.address, rest[: 2 * arguments.probes], arguments.seed)
        progress(f"{arguments.control:,} probes of tenant A")
        control = compare("a", gateway.address, rest[2 * arguments.probes :], arguments.seed)
        return [found, control]


WARM_UP = 500


def markdown(found: list[Comparison]) -> str:
    """The table."""
    lines = [
        f"- {describe_machine()}",
        "- A asks, the gateway keeps the answer; then the same, or what is new, is asked for",
        "",
        *outputs.table(HEAD, map(cells, found)),
    ]
    return "\n".join(lines) + "\n"


def cells(found: Comparison) -> list[str]:
    """A line of the table."""
    share, p = found.ranks
    return [
        "tenant B" if found.who == "b" else "tenant A itself",
        *(f"{count:,}" for count in (len(found.kept), len(found.new), found.hits)),
        *(f"{statistics.fmean(times):.3f}" for times in (found.kept, found.new)),
        *(f"{statistics.median(times):.3f}" for times in (found.kept, found.new)),
        f"{share:.1%} of pairs",
        f"{p:.2g}" if p else "below 1e-15",
    ]


def verdict(found: list[Comparison]) -> int:
    """0 if B has no hit and cannot tell, and A can."""
    other, itself = found
    if other.hits:
        print(f"B got {other.hits} answers out of the cache", file=sys.stderr)
        return 1
    if other.ranks[1] < ALPHA:
        print(f"B's probes can be told apart: p = {other.ranks[1]:.2g}", file=sys.stderr)
        return 1
    if itself.ranks[1] >= ALPHA or itself.hits < len(itself.kept):
        print("A's own hits cannot be told apart: the method shows nothing", file=sys.stderr)
        return 1
    return 0


def write(arguments: argparse.Namespace) -> int:
    """The table, and the files that were asked for."""
    found = measure(arguments)
    text = markdown(found)
    print(text, end="")
    values = [dataclasses.asdict(each) for each in found]
    outputs.write(arguments, text, values, MARKERS, indent=None)
    return verdict(found)


def main() -> int:
    """Measure, print; 1 if B can tell, or if A cannot."""
    parser = options.parser_of(__doc__)
    parser.add_argument("--probes", type=int, default=100_000, help="of B (%(default)s)")
    parser.add_argument("--control", type=int, default=2_000, help="of A (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of numbers and order (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="2,000 probes: it works, no more")
    options.add_outputs(parser, tables="the table", figures="every time")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.probes, arguments.control = 2_000, 500
    return options.run(lambda: write(arguments), (AssertionError,))


if __name__ == "__main__":
    sys.exit(main())
