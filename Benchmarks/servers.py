"""The servers that are measured: nodes, gateways, and nginx in a gateway's place."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import machine
import requests
from payload import MODEL

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 40.0
POLL_SECONDS = 0.05
HTTP_SECONDS_MAX = 5.0

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class ServerError(Exception):
    """A server did not start, or ended by itself."""


class Server:
    """A process as a scope: entering waits until it serves, leaving stops it."""

    start_seconds_max = START_SECONDS_MAX

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.environment = environment
        self.command = [str(word) for word in command]
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*bound_to_us(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                # Ctrl-C must reach the benchmark alone, which then stops the servers in order.
                start_new_session=True,
            )
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask the process to end, and end it if it does not."""
        if self.process is None:
            return
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS_MAX)
        # It leads a group of its own: whoever is left in that is a child of it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def pid(self) -> int:
        """The process's number."""
        if self.process is None:
            raise ServerError(f"{self.name} has not started")
        return self.process.pid

    def processor_seconds(self) -> float:
        """Processor time used so far, by the process and its children."""
        self.check_running()
        pids = [self.pid, *machine.children(self.pid)]
        return sum(machine.process_seconds(pid) for pid in pids)

    def check_running(self) -> None:
        """Raise if the process has ended by itself."""
        code = self.process.poll() if self.process else None
        if code is not None:
            raise ServerError(f"{self.name} ended with exit code {code}\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The end of the process's output, to go under an error."""
        lines = self.log.read_text(errors="replace").splitlines()[-12:]
        return "\n".join(f"  | {line}" for line in lines)

    def is_ready(self) -> bool:
        """Whether it serves."""
        raise NotImplementedError

    def wait_until_ready(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + self.start_seconds_max
        while time.monotonic() < deadline:
            self.check_running()
            with contextlib.suppress(OSError):
                if self.is_ready():
                    return
            time.sleep(POLL_SECONDS)
        raise ServerError(
            f"{self.name} was not ready after {self.start_seconds_max:.0f} s\n{self.log_tail()}"
        )


class Node(Server):
    """`martlet serve` with its default settings, apart from the access log."""

    def __init__(self, name: str, martlet: Path, model: Path, folder: Path) -> None:
        self.port_file = fresh(folder / f"{name}.port")
        command = [martlet, "serve", f"--model={MODEL}={model}", *quiet(self.port_file)]
        super().__init__(name, command, folder)

    @property
    def address(self) -> str:
        """Where it listens."""
        return address_in(self.port_file)

    def is_ready(self) -> bool:
        return get(self.address, "/healthz/ready").ok

    def answered(self, api: str) -> dict[str, int]:
        """Predictions answered so far, by status code."""
        labels = {"model": MODEL, "api": api, "method": "predict"}
        return totals(self.address, "martlet_requests_total", labels, "code")


class Listening(Protocol):
    """What a gateway may stand before."""

    @property
    def address(self) -> str:
        """Where it listens."""


class Gateway(Server):
    """`martlet gateway` with its default settings, apart from the access log and flags given."""

    def __init__(
        self,
        name: str,
        martlet: Path,
        nodes: Sequence[Listening],
        folder: Path,
        flags: Sequence[str] = (),
    ) -> None:
        self.nodes = nodes
        self.port_file = fresh(folder / f"{name}.port")
        self.admin_port_file = fresh(folder / f"{name}.admin-port")
        command = [
            *(martlet, "gateway", *quiet(self.port_file)),
            *("--admin-port=0", f"--admin-port-file={self.admin_port_file}"),
            *(f"--endpoint={node.address}" for node in nodes),
            *flags,
        ]
        super().__init__(name, command, folder)

    @property
    def address(self) -> str:
        """Where it listens for clients."""
        return address_in(self.port_file)

    def is_ready(self) -> bool:
        answer = get(address_in(self.admin_port_file), "/v1/endpoints")
        return answer.ok and all(endpoint["healthy"] for endpoint in answer.json()["endpoints"])

    def retries(self) -> int:
        """Attempts beyond a request's first, so far."""
        admin = address_in(self.admin_port_file)
        return sum(totals(admin, "martlet_gateway_retries_total", {}, "reason").values())


class Nginx(Server):
    """nginx as a reverse proxy in front of a node, as its manual says to set it up for speed."""

    def __init__(self, name: str, program: Path, node: Node, folder: Path) -> None:
        self.rest_address = f"127.0.0.1:{free_port()}"
        self.grpc_address = f"127.0.0.1:{free_port()}"
        self.program = program
        home = folder / name
        home.mkdir(exist_ok=True)
        configuration = home / "nginx.conf"
        configuration.write_text(
            nginx_configuration(home, node.address, self.rest_address, self.grpc_address)
        )
        command = [program, "-p", home, "-c", configuration, "-e", "stderr"]
        super().__init__(name, command, folder)

    def is_ready(self) -> bool:
        for address in (self.rest_address, self.grpc_address):
            socket.create_connection(split(address), HTTP_SECONDS_MAX).close()
        return True


def nginx_configuration(home: Path, node: str, rest: str, grpc: str) -> str:
    """As many workers as the gateway has event loops; connections are kept on both sides."""
    temporary = "\n".join(
        f"    {kind}_temp_path {home}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""\
# Written by Benchmarks/servers.py.
{user}
daemon off;
worker_processes {machine.CORES};
pid {home}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
{temporary}
    access_log off;
    keepalive_requests 1000000000;
    upstream node_rest {{ server {node}; keepalive 64; keepalive_requests 1000000000; }}
    upstream node_grpc {{ server {node}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen {rest} reuseport;
        location / {{
            proxy_pass http://node_rest;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
    server {{
        listen {grpc} http2 reuseport;
        location / {{ grpc_pass grpc://node_grpc; }}
    }}
}}
"""


def find_nginx(repository: Path) -> Path | None:
    """The nginx that set-up unpacked, or one that is installed."""
    unpacked = repository / ".tools/nginx"
    if os.access(unpacked, os.X_OK):
        return unpacked
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def nginx_version(program: Path) -> str:
    """Such as `1.22.1`."""
    answer = subprocess.run([program, "-v"], capture_output=True, text=True, check=True)
    return answer.stderr.strip().rpartition("/")[2]


def quiet(port_file: Path) -> list[str]:
    """Flags that both of Martlet's servers are started with."""
    return ["--port=0", f"--port-file={port_file}", "--no-access-log", "--log-level=error"]


def bound_to_us() -> tuple[str, ...]:
    """A prefix that has the kernel end the command when this process ends, however it ends."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()


def fresh(path: Path) -> Path:
    """The path, with nothing there yet."""
    path.unlink(missing_ok=True)
    return path


def address_in(port_file: Path) -> str:
    """The address whose port a server has written down; `OSError` until it has."""
    return f"127.0.0.1:{int(port_file.read_text(encoding='ascii'))}"


def split(address: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = address.rpartition(":")
    return host, int(port)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def get(address: str, path: str) -> requests.Response:
    """Get a page; its errors are `OSError`s."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"http://{address}{path}", timeout=HTTP_SECONDS_MAX)


def totals(address: str, metric: str, labels: dict[str, str], key: str) -> dict[str, int]:
    """Sums of a metric's samples that carry these labels, for each value of the label `key`."""
    found: dict[str, int] = {}
    for line in get(address, "/metrics").text.splitlines():
        match = SAMPLE.match(line)
        if match is None or match[1] != metric:
            continue
        its = dict(LABEL.findall(match[2] or ""))
        if labels.items() <= its.items():
            found[its[key]] = found.get(its[key], 0) + round(float(match[3]))
    return found
