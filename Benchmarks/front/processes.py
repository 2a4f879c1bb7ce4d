"""The servers of this comparison, each kept on one core."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import machine
from peers.processes import resident_bytes
from servers import (
    HTTP_SECONDS_MAX,
    Server,
    address_in,
    free_port,
    fresh,
    get,
    totals,
)

from front import configuration
from front.configuration import Backends, Certificate, Ports

HERE = Path(__file__).resolve().parent
# As they were at the start: this process soon keeps to one of them.
CORES = sorted(os.sched_getaffinity(0))
SMALL_BYTES = 200
LARGE_BYTES = 600_000
MESSAGE_BYTES = 32

SMALL = ('{"predictions": [' + "2.5, 3.0, 4.5, " * 11).ljust(SMALL_BYTES - 6, " ") + "1.25]}"
LARGE = b"0123456789abcdef" * (LARGE_BYTES // 16)
LISTING = (
    '{"models": [{"name": "half_plus_two", "model_version_status": [{"version": "1", '
    '"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]}]}'
)
MESSAGE = bytes(range(MESSAGE_BYTES))


def grpc_prefixed(message: bytes) -> bytes:
    """A message as gRPC sends it: not compressed, and its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class PinnedServer(Server):
    """A server on one core, with the memory that its processes hold."""

    def __init__(
        self, name: str, core: int, command: Sequence[str | Path], folder: Path, ports: list[int]
    ) -> None:
        super().__init__(name, ["taskset", "--cpu-list", str(core), *command], folder)
        self.ports = ports

    def is_ready(self) -> bool:
        for port in self.ports:
            socket.create_connection(("127.0.0.1", port), HTTP_SECONDS_MAX).close()
        return True

    def resident_bytes(self) -> int:
        """Memory held now, what processes share counted for each."""
        self.check_running()
        return sum(resident_bytes(pid) for pid in [self.pid, *machine.children(self.pid)])

    def retries(self) -> int:
        """Requests sent again so far, where the server counts them."""
        return 0


def nginx_command(program: Path, home: Path, text: str) -> list[str | Path]:
    """Writes the configuration and says how to start with it."""
    home.mkdir()
    (home / "nginx.conf").write_text(text, encoding="utf-8")
    return [program, "-p", home, "-c", home / "nginx.conf", "-e", "stderr"]


def small_backend(program: Path, core: int, folder: Path) -> PinnedServer:
    """nginx with an answer of 200 bytes."""
    port, home = free_port(), folder / "small-backend"
    text = configuration.nginx_backend(home, port, SMALL, LISTING)
    return PinnedServer("backend", core, nginx_command(program, home, text), folder, [port])


def other_backend(core: int, folder: Path) -> PinnedServer:
    """The backend in C, compiled here."""
    program, port = folder / "backend", free_port()
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"]
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, *flags, HERE / "backend.c", "-o", program], check=True)
    bodies = {
        "small": SMALL.encode(),
        "large": LARGE,
        "listing": LISTING.encode(),
        "message": grpc_prefixed(MESSAGE),
    }
    files = []
    for name, body in bodies.items():
        files.append(folder / f"answer-{name}")
        files[-1].write_bytes(body)
    return PinnedServer("other-backend", core, [program, str(port), *files], folder, [port])


class Proxy(PinnedServer):
    """nginx or HAProxy, listening for all loads at once."""

    def __init__(
        self, name: str, core: int, command: Sequence[str | Path], folder: Path, ports: Ports
    ) -> None:
        listed = [ports.http, ports.tls, ports.grpc, ports.large]
        super().__init__(name, core, command, folder, listed)
        self.at = ports


def free_ports() -> Ports:
    """Four of them."""
    with contextlib.ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        numbers = [listener.getsockname()[1] for listener in listeners]
    return Ports(*numbers)


def nginx(
    program: Path, core: int, folder: Path, backends: Backends, certificate: Certificate
) -> Proxy:
    """nginx in a gateway's place."""
    name, ports = unused("nginx", folder), free_ports()
    text = configuration.nginx_proxy(folder / name, ports, backends, certificate)
    return Proxy(name, core, nginx_command(program, folder / name, text), folder, ports)


def haproxy(
    program: Path, core: int, folder: Path, backends: Backends, certificate: Certificate
) -> Proxy:
    """HAProxy in a gateway's place."""
    name, ports = unused("haproxy", folder), free_ports()
    file = folder / f"{name}.cfg"
    file.write_text(configuration.haproxy(ports, backends, certificate), encoding="utf-8")
    # In the foreground, without a second process.
    return Proxy(name, core, [program, "-db", "-f", file], folder, ports)


class PinnedGateway(PinnedServer):
    """`martlet gateway` before one backend; without access log unless told otherwise."""

    def __init__(
        self, martlet: Path, core: int, folder: Path, backend: int, flags: Sequence[str]
    ) -> None:
        name = unused("gateway", folder)
        self.port_file = fresh(folder / f"{name}.port")
        self.admin_port_file = fresh(folder / f"{name}.admin-port")
        # A policy names its endpoints itself.
        has_policy = any(flag.startswith("--config=") for flag in flags)
        endpoints = [] if has_policy else [f"--endpoint=127.0.0.1:{backend}"]
        command = [
            *(martlet, "gateway", *endpoints),
            *("--port=0", f"--port-file={self.port_file}", "--admin-port=0"),
            *(f"--admin-port-file={self.admin_port_file}", "--log-level=error", *flags),
        ]
        super().__init__(name, core, command, folder, [])

    @property
    def port(self) -> int:
        """Where it listens for clients."""
        return int(address_in(self.port_file).rpartition(":")[2])

    def is_ready(self) -> bool:
        answer = get(address_in(self.admin_port_file), "/v1/endpoints")
        return answer.ok and all(endpoint["healthy"] for endpoint in answer.json()["endpoints"])

    def retries(self) -> int:
        admin = address_in(self.admin_port_file)
        return sum(totals(admin, "martlet_gateway_retries_total", {}, "reason").values())


def knows_tls(martlet: Path) -> bool:
    """Whether this gateway can encrypt."""
    text = subprocess.run(
        [martlet, "gateway", "--help"], capture_output=True, text=True, check=True
    ).stdout
    return "--tls-certificate" in text and "--tls-key" in text


def unused(name: str, folder: Path) -> str:
    """The name, with a number if it is taken in this folder."""
    number = 1
    while (folder / f"{name}-{number}.log").exists():
        number += 1
    (folder / f"{name}-{number}.log").touch()
    return f"{name}-{number}"


def find_haproxy() -> Path | None:
    """The one that is installed."""
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


def make_certificate(folder: Path) -> Certificate:
    """A certificate of P-256 for 127.0.0.1, signed by itself."""
    made = Certificate(folder / "cert.pem", folder / "key.pem", folder / "both.pem")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "30", "-subj", "/CN=127.0.0.1"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.chain),
    ]
    subprocess.run(command, check=True, capture_output=True)
    made.both.write_bytes(made.chain.read_bytes() + made.key.read_bytes())
    return made
