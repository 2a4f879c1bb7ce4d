"""The faults of the benchmark of failover, each with three nodes and a gateway of its own."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import end_to_end  # noqa: F401  (the harness is found by it)
from harness import faults
from harness.networks import network
from harness.processes import Launcher, Node
from harness.stand_ins import StandIn

Struck = Node | StandIn

CUT_OFF = "cut off (packets lost)"
ROLLED = "rolling restart of all"


@dataclasses.dataclass(frozen=True)
class Scene:
    """Three nodes behind a gateway, the one that fails, and its failure as a scope."""

    trio: faults.Trio
    struck: Struck
    fault: Callable[[], AbstractContextManager[object]]


def three(launcher: Launcher) -> list[Node]:
    """Nodes that are well."""
    return [launcher.serve() for _ in range(3)]


def killed(launcher: Launcher, scope: ExitStack) -> Scene:
    """`kill -9`, and later a new process in its place."""
    trio = faults.Trio(launcher, three(launcher))
    node = trio.nodes[0]

    @contextlib.contextmanager
    def fault() -> Iterator[None]:
        node.kill()
        yield
        launcher.serve(port=node.port)

    return Scene(trio, node, fault)


def paused(launcher: Launcher, scope: ExitStack) -> Scene:
    """SIGSTOP, and later SIGCONT."""
    trio = faults.Trio(launcher, three(launcher))
    return Scene(trio, trio.nodes[0], lambda: faults.paused(trio.nodes[0]))


def cut_off(launcher: Launcher, scope: ExitStack) -> Scene:
    """Its packets are lost for a while."""
    far = scope.enter_context(network())
    distant = launcher.serve(host=far.host, prefix=far.prefix)
    scope.callback(distant.stop)
    trio = faults.Trio(launcher, [distant, launcher.serve(), launcher.serve()])
    return Scene(trio, distant, lambda: faults.cut(far))


def full(launcher: Launcher, scope: ExitStack) -> Scene:
    """Its queue is kept full by slow requests that do not come through the gateway."""
    node = faults.node_with_short_queue(launcher)
    trio = faults.Trio(launcher, [node, launcher.serve(), launcher.serve()])
    filler = faults.Filler(node)
    return Scene(trio, node, lambda: filler)


def broken(status: int) -> Callable[[Launcher, ExitStack], Scene]:
    """A node joins that is well by its health checks and answers each prediction by an error."""

    def make(launcher: Launcher, scope: ExitStack) -> Scene:
        server = scope.enter_context(faults.failing_node(status))
        ready = server.pages.pop("/healthz/ready")
        good = [launcher.serve(), launcher.serve()]
        trio = faults.Trio(launcher, [server, *good], awaited=good)

        @contextlib.contextmanager
        def fault() -> Iterator[None]:
            server.pages["/healthz/ready"] = ready
            yield
            server.pages.pop("/healthz/ready")

        return Scene(trio, server, fault)

    return make


def rolled(launcher: Launcher, scope: ExitStack) -> Scene:
    """All three, one after the other, are stopped by SIGTERM and started again."""
    trio = faults.Trio(launcher, three(launcher))

    @contextlib.contextmanager
    def fault() -> Iterator[None]:
        for node in trio.nodes:
            node.stop()
            trio.await_back(launcher.serve(port=node.port))
        yield

    return Scene(trio, trio.nodes[0], fault)


FAULTS: dict[str, Callable[[Launcher, ExitStack], Scene]] = {
    "killed (kill -9)": killed,
    "paused (SIGSTOP)": paused,
    CUT_OFF: cut_off,
    "queue full": full,
    "answers 500 at once": broken(500),
    "answers 503 at once": broken(503),
    ROLLED: rolled,
}
