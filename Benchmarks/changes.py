#!/usr/bin/env python3
"""Requests through a gateway while all behind and about it changes: none lost, none doubled.

Three nodes with batching stand behind a gateway that answers a steady load over REST and gRPC.
Meanwhile, in turn: the model gets another version on all nodes, the policy is written anew and read
again (by SIGHUP, by the admin API, and by itself), a node leaves the policy and comes back, a node
is told to stop and starts again, and so is the gateway. Every request holds a number of its own,
and its answer must be that number's. A refused connection is tried again, as nothing was sent;
nothing else is.
"""

import argparse
import collections
import contextlib
import itertools
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import options
import outputs
from end_to_end import launching
from harness import models
from harness.policies import PolicyFile, pool
from harness.processes import Gateway, Launcher, Node
from harness.swaps import Ledger, LoadThread
from harness.waiting import await_until
from machine import describe_machine
from peers.paths import progress

NODES = 3
PATIENCE_SECONDS = 60.0
NODE_FLAGS = ("--enable-batching", "--poll-interval-seconds", 0.5)
PROGRESS_SECONDS = 30.0


class Scene:
    """Nodes, a gateway before them, and what may be changed."""

    def __init__(self, launcher: Launcher) -> None:
        folder = launcher.directory
        self.launcher = launcher
        self.model = models.model_folder(folder / "models")
        self.version = 1
        self.reads = 0
        self.nodes = [self._node() for _ in range(NODES)]
        self.file = PolicyFile(folder / "policy.yaml")
        self.file.write(self.policy())
        self.gateway = self._gateway()
        self.counts: collections.Counter[str] = collections.Counter()

    def _node(self, port: int = 0) -> Node:
        return self.launcher.serve({"half_plus_two": self.model}, *NODE_FLAGS, port=port)

    def _gateway(self, port: int = 0) -> Gateway:
        flags = ["--config", self.file.path, "--no-access-log"]
        gateway = self.launcher.start(Gateway, "gateway", flags, ready="ready", port=port)
        gateway.await_all_healthy(self.nodes)
        return gateway

    def policy(self, *nodes: Node) -> dict[str, object]:
        """A policy that differs from all before it, for all nodes unless some are named."""
        self.reads += 1
        timeouts = {"total_seconds": 30 + self.reads % 2}
        return {
            "pools": [pool("main", *(nodes or self.nodes))],
            "routes": [{"name": f"r{self.reads}", "timeouts": timeouts}],
        }

    def is_read(self) -> bool:
        """Whether the gateway goes by the policy that was written last."""
        shown = self.gateway.admin.get("/v1/policy").json()["routes"]
        return [route["name"] for route in shown] == [f"r{self.reads}"]

    def write(self, *nodes: Node) -> None:
        """Writes a policy, and has it read in one of three ways."""
        self.file.write(self.policy(*nodes))
        way = self.reads % 3
        if way == 0:
            self.gateway.send(signal.SIGHUP)
        elif way == 1:
            answer = self.gateway.admin.post("/v1/policy:reload", "")
            assert answer.status_code == 200, answer.text
        await_until(self.is_read, "the policy to be read", PATIENCE_SECONDS, 0.05)

    # MARK: Changes

    def swap_version(self) -> None:
        """Another version takes the place of the one that is served, on all nodes."""
        version = self.version + 1
        kind = models.HALF_PLUS_TWO if version % 2 else models.HALF_PLUS_THREE
        models.add_version(self.model, version, kind)
        for node in self.nodes:
            node.await_state("half_plus_two", version, "AVAILABLE", PATIENCE_SECONDS)
            node.await_state("half_plus_two", self.version, "END", PATIENCE_SECONDS)
        shutil.rmtree(self.model / str(self.version))
        self.version = version

    def reload_policy(self) -> None:
        """Another policy for the same nodes."""
        self.write()

    def move_node(self) -> None:
        """A node leaves the policy, and comes back."""
        away = self.nodes[self.reads % NODES]
        self.write(*(node for node in self.nodes if node is not away))
        self.write()
        self.gateway.await_all_healthy(self.nodes)

    def restart_node(self) -> None:
        """A node is told to stop, and starts again on its port."""
        number = self.counts["restart_node"] % NODES
        old = self.nodes[number]
        old.stop()
        self.nodes[number] = self._node(old.port)
        self.gateway.await_all_healthy(self.nodes)

    def restart_gateway(self) -> None:
        """The gateway is told to stop, and starts again on its port."""
        port = int(self.gateway.address.rsplit(":", 1)[1])
        self.gateway.stop()
        self.gateway = self._gateway(port)

    @property
    def changes(self) -> list[Callable[[], None]]:
        """All of them, in their order."""
        return [
            self.swap_version,
            self.reload_policy,
            self.move_node,
            self.restart_node,
            self.restart_gateway,
        ]


def run(scope: contextlib.ExitStack, arguments: argparse.Namespace) -> tuple[Ledger, Scene]:
    """The load, while one change follows the other."""
    scene = Scene(scope.enter_context(launching("changes")))
    ledger, numbers = Ledger(), itertools.count(1)
    threads = [
        LoadThread(kind, scene.gateway.address, ledger, numbers)
        for kind in ("rest", "grpc") * arguments.threads
    ]
    for thread in threads:
        thread.start()
    began = told = time.monotonic()
    try:
        for change in itertools.cycle(scene.changes):
            now = time.monotonic()
            if ledger.sent >= arguments.requests or now - began >= arguments.seconds:
                break
            if now - told >= PROGRESS_SECONDS:
                told = now
                progress(f"{ledger.sent:,} requests, {scene.counts.total():,} changes")
            change()
            scene.counts[change.__name__] += 1
    finally:
        for thread in threads:
            thread.stop()
    return ledger, scene


def markdown(ledger: Ledger, counts: collections.Counter[str]) -> str:
    """The table."""
    names = list(counts)
    head = ["sent", "answered", "connection refused", "lost", "wrong or doubled"]
    head += [name.replace("_", " ") for name in names]
    cells = [ledger.sent, ledger.answered, ledger.unsent, len(ledger.failures), len(ledger.wrong)]
    cells += [counts[name] for name in names]
    lines = [
        f"- {describe_machine()}",
        "",
        outputs.line_of(head),
        "|" + "--:|" * len(head),
        outputs.line_of(f"{cell:,}" for cell in cells),
    ]
    return "\n".join(lines) + "\n"


def measure(arguments: argparse.Namespace) -> int:
    """Run, print; 1 if a request was lost or doubled."""
    with contextlib.ExitStack() as scope:
        ledger, scene = run(scope, arguments)
        counts = scene.counts
    text = markdown(ledger, counts)
    print(text, end="")
    for failure in [*ledger.failures, *ledger.wrong][:10]:
        print(failure, file=sys.stderr)
    values = {
        "sent": ledger.sent,
        "answered": ledger.answered,
        "refused": ledger.unsent,
        "failures": ledger.failures,
        "wrong": ledger.wrong,
        "changes": counts,
    }
    outputs.write(arguments, text, values)
    is_whole = ledger.answered == ledger.sent and not ledger.failures and not ledger.wrong
    return 0 if is_whole else 1


def main() -> int:
    """Parse, run."""
    parser = options.parser_of(__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=7200.0, help="at most (%(default)g)")
    parser.add_argument("--threads", type=int, default=4, help="of each protocol (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="30 s: it works, no more")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts and failures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds = 30.0
    return options.run(lambda: measure(arguments), (AssertionError,))


if __name__ == "__main__":
    sys.exit(main())
