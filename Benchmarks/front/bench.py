"""What runs in a run: the backends, the proxies before them, and which of them a load asks."""

import contextlib
import os
import resource
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from peers.paths import ROOT
from servers import ServerError, find_nginx

from front import features, loads, processes, table
from front.configuration import Backends, Certificate
from front.generators import Generator
from front.loads import Target
from front.processes import PinnedGateway, PinnedServer, Proxy

MARTLET = "Martlet"
DIRECT = "the backend alone"
NO_ACCESS_LOG = "--no-access-log"
DESCRIPTORS_MAX = 30_000


@dataclass
class Bench:
    """The programs, cores and backends of a run, and the servers it has started."""

    scope: contextlib.ExitStack
    folder: Path
    martlet: Path
    proxy_core: int
    load_core: int
    certificate: Certificate
    small: PinnedServer
    other: PinnedServer

    @property
    def backends(self) -> Backends:
        """Their ports."""
        return Backends(self.small.ports[0], self.other.ports[0])

    def nginx(self) -> Proxy:
        """An nginx that is not started yet."""
        program = require(find_nginx(ROOT))
        return processes.nginx(
            program, self.proxy_core, self.folder, self.backends, self.certificate
        )

    def haproxy(self) -> Proxy:
        """An HAProxy that is not started yet."""
        program = require(processes.find_haproxy())
        return processes.haproxy(
            program, self.proxy_core, self.folder, self.backends, self.certificate
        )

    def gateway(self, backend: PinnedServer, *flags: str) -> PinnedGateway:
        """A gateway that is not started yet."""
        port = backend.ports[0]
        return PinnedGateway(self.martlet, self.proxy_core, self.folder, port, flags)

    def generator(self) -> Generator:
        """What asks them."""
        return Generator(self.load_core, self.folder, str(self.certificate.chain))


@contextlib.contextmanager
def bench(martlet: Path, *, light: bool = False) -> Iterator[Bench]:
    """Backends that run; whatever is entered into its scope is stopped at the end.

    A light run has no nginx behind the proxies: the backend in C gives the small answers too.
    """
    proxy_core, load_core = processes.CORES[:2]
    os.sched_setaffinity(0, {load_core})
    allow_descriptors()
    with contextlib.ExitStack() as scope:
        folder = Path(scope.enter_context(tempfile.TemporaryDirectory(prefix="martlet-proxies.")))
        nginx = require(find_nginx(ROOT))
        other = scope.enter_context(processes.other_backend(load_core, folder))
        small = other
        if not light:
            small = scope.enter_context(processes.small_backend(nginx, load_core, folder))
        yield Bench(
            scope=scope,
            folder=folder,
            martlet=martlet.resolve(),
            proxy_core=proxy_core,
            load_core=load_core,
            certificate=processes.make_certificate(folder),
            small=small,
            other=other,
        )


def http_targets(here: Bench, nginx: Proxy, haproxy: Proxy, also: list[str]) -> list[Target]:
    """HTTP/1.1 with a small answer."""
    targets = [
        Target(DIRECT, here.small.ports[0], here.small),
        Target(table.NGINX, nginx.at.http, here.small, nginx),
        Target(table.HAPROXY, haproxy.at.http, here.small, haproxy),
        gateway_target(here, MARTLET, here.small, NO_ACCESS_LOG),
        gateway_target(here, f"{MARTLET}, access log", here.small),
    ]
    return targets + more_targets(here, here.small, also)


def tls_targets(here: Bench, nginx: Proxy, haproxy: Proxy, notes: list[str]) -> list[Target]:
    """The same, encrypted on the client's side; the ciphers become a note."""
    targets = [
        Target(table.NGINX, nginx.at.tls, here.small, nginx),
        Target(table.HAPROXY, haproxy.at.tls, here.small, haproxy),
    ]
    if processes.knows_tls(here.martlet):
        files = here.certificate
        flags = [f"--tls-certificate={files.chain}", f"--tls-key={files.key}"]
        targets.append(gateway_target(here, MARTLET, here.small, NO_ACCESS_LOG, *flags))
    else:
        notes.append("No row for the gateway's TLS: this build has no such flags.")
    ciphers = [
        f"{target.title} {loads.cipher(target, str(here.certificate.chain))}" for target in targets
    ]
    notes.append(f"Ciphers that a stock client is given: {', '.join(ciphers)}.")
    return targets


def other_targets(
    here: Bench, nginx: Proxy, haproxy: Proxy, port: str, also: list[str]
) -> list[Target]:
    """Before the backend in C."""
    targets = [
        Target(DIRECT, here.other.ports[0], here.other),
        Target(table.NGINX, getattr(nginx.at, port), here.other, nginx),
        Target(table.HAPROXY, getattr(haproxy.at, port), here.other, haproxy),
        gateway_target(here, MARTLET, here.other, NO_ACCESS_LOG),
    ]
    return targets + more_targets(here, here.other, also)


def more_targets(here: Bench, backend: PinnedServer, also: list[str]) -> list[Target]:
    """Gateways whose flags the command line gives."""
    targets = []
    for text in also:
        title, _, flags = text.partition("=")
        name = f"{MARTLET}, {title}"
        targets.append(gateway_target(here, name, backend, NO_ACCESS_LOG, *flags.split()))
    return targets


def feature_targets(here: Bench) -> list[Target]:
    """Gateways that differ in one feature each; the first has none."""
    targets = [
        gateway_target(here, MARTLET, here.small, NO_ACCESS_LOG),
        gateway_target(here, "access log", here.small),
    ]
    for number, (title, policy) in enumerate(features.FEATURES.items()):
        port = here.small.ports[0]
        flags = features.flags(policy, port, here.folder, f"policy-{number}")
        targets.append(gateway_target(here, title, here.small, NO_ACCESS_LOG, *flags))
    return targets


def gateway_target(here: Bench, title: str, backend: PinnedServer, *flags: str) -> Target:
    """A gateway, started."""
    gateway = here.scope.enter_context(here.gateway(backend, *flags))
    return Target(title, gateway.port, backend, gateway)


def require(program: Path | None) -> Path:
    """A program that must be there."""
    if program is None:
        raise ServerError("a program is missing that was here when the run began")
    return program


def allow_descriptors() -> None:
    """Let this process and its children have as many connections as the system allows them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(DESCRIPTORS_MAX, hard) if hard != resource.RLIM_INFINITY else DESCRIPTORS_MAX
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
