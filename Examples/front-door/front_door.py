"""A gateway with certificates and keys, and three nodes behind it: made, watched and stopped.

Everything is done by `martlet` as an operator would do it, in a folder that a reader may look at.
"""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

MODEL = "fraud"
NODES = 3
START_SECONDS_MAX = 25.0
STOP_SECONDS_MAX = 20.0
COMMAND_SECONDS_MAX = 10.0
POLL_SECONDS = 0.1

PINNED = "rewrite: {version: 1}"

# Thresholds of latency are wide: between steps of a second chance makes a great difference.
CANARY = f"""\
canary:
      model: {MODEL}
      baseline: {{version: 1}}
      candidate: {{version: 2}}
      weight_percent_start: 10
      weight_percent_step: 30
      interval_seconds: 1
      requests_min: 10
      rollback: {{latency_ratio_p99_max: 10}}"""


class FrontDoorError(Exception):
    """Something of it did not do what it must."""


@dataclass
class Node:
    """A node's process."""

    name: str
    process: subprocess.Popen[bytes]
    address: str = ""


def direct_session() -> requests.Session:
    """An HTTP session that ignores the environment's proxies: all is on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session


class FrontDoor:
    """The gateway and its nodes as a scope: leaving it stops them, whatever happened."""

    def __init__(self, martlet: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.martlet = martlet
        self.folder = folder
        self.environment = dict(environment)
        self.nodes: list[Node] = []
        self.gateway: subprocess.Popen[bytes] | None = None
        self.address = ""
        self.admin = ""
        self.stop_problems: list[str] = []
        self.session = direct_session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        running = [("gateway", self.gateway)] if self.gateway else []
        running += [(node.name, node.process) for node in self.nodes]
        # The gateway first, so that it finishes what it has.
        for name, process in running:
            problem = end(process)
            if problem:
                self.stop_problems.append(f"{name} {problem}{self.log_tail(name)}")
        self.session.close()

    # MARK: Setting up

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of `martlet` that ends by itself."""
        ended = subprocess.run(
            [self.martlet, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if ended.returncode != 0:
            raise FrontDoorError(f"martlet {' '.join(arguments)}: {ended.stderr.strip()}")
        return ended

    def make_certificates(self) -> None:
        """An authority, and a certificate of it for the gateway."""
        self.run("certs", "init")
        self.run("certs", "node", "--host", "localhost", "--host", "127.0.0.1")

    def make_key(self) -> str:
        """A key for the model; the file of credentials has only its digest."""
        made = self.run("key", "new", "--id", "shop", "--tenant", "payments", "--model", MODEL)
        (self.folder / "credentials.yaml").write_text(f"keys:\n{made.stdout}")
        return made.stderr.strip().splitlines()[-1]

    @property
    def authority(self) -> str:
        """The file of the authority that signs the gateway's certificate."""
        return str(self.folder / "certs" / "ca.pem")

    def start_nodes(self) -> None:
        """Start all nodes at once, and wait for each."""
        (self.folder / "models.txt").write_text(
            f"""model_config_list {{
  config {{
    name: "{MODEL}" base_path: {json.dumps(str(self.folder / "models" / MODEL))}
    model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
  }}
}}
"""
        )
        self.nodes = [
            Node(f"node-{number + 1}", self.start_node(f"node-{number + 1}", "0"))
            for number in range(NODES)
        ]
        for node in self.nodes:
            node.address = self.read_address(node.name, node.process)
            self.await_ready(node)

    def start_node(self, name: str, port: str) -> subprocess.Popen[bytes]:
        """Start a node; on a port of its own choice with 0."""
        return self.start(
            name,
            "serve",
            *("--model-config-file", "models.txt", "--engine", "tensorflow"),
            *("--engine-threads", "1", "--port", port, "--no-access-log"),
        )

    def start_gateway(self) -> None:
        """Start the gateway, and wait until it could forward a request."""
        self.write_policy(PINNED)
        self.gateway = self.start(
            "gateway", "gateway", "--config", "gateway.yaml", "--admin-port-file", "gateway.admin"
        )
        self.address = self.read_address("gateway", self.gateway)
        self.admin = self.read_address("gateway", self.gateway, "admin")
        self.wait(
            "the gateway to find its nodes healthy",
            lambda: len(self.healthy()) == NODES,
        )

    def write_policy(self, versions: str) -> None:
        """The traffic policy, with what it says of the model's versions."""
        addresses = ", ".join(node.address for node in self.nodes)
        (self.folder / "gateway.yaml").write_text(
            f"""\
listen: {{port: 0}}
admin: {{port: 0}}
tls:
  certificate_file: certs/localhost.pem
  key_file: certs/localhost.key
access:
  api_keys_file: credentials.yaml
endpoints: [{addresses}]
routes:
  - name: {MODEL}
    match: {{models: [{MODEL}]}}
    cache: true
    {versions}
cache:
  memory_bytes: 16MiB
"""
        )

    def begin_canary(self) -> None:
        """Change the policy under load, and have it read again."""
        self.write_policy(CANARY)
        answer = self.session.post(f"http://{self.admin}/v1/policy:reload", timeout=5)
        if answer.status_code != 200:
            raise FrontDoorError(f"the policy is not taken: {answer.text.strip()}")

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process with its log and the file of its port in the folder."""
        port_file = self.folder / f"{name}.port"
        port_file.unlink(missing_ok=True)
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                # Should the demo be killed, its processes end with it.
                [self.martlet, *arguments, "--port-file", port_file, "--exit-with-parent"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C must reach the demo alone, which then stops all in order.
                start_new_session=True,
            )

    # MARK: Watching

    def read_address(self, name: str, process: subprocess.Popen[bytes], kind: str = "port") -> str:
        """The address that a process listens on, once it does."""
        file = self.folder / f"{name}.{kind}"

        def port() -> str:
            if process.poll() is not None:
                raise FrontDoorError(f"{name} ended by itself{self.log_tail(name)}")
            return file.read_text().strip() if file.exists() else ""

        return f"127.0.0.1:{self.wait(f'{name} to listen', port)}"

    def await_ready(self, node: Node) -> None:
        """Wait until a node serves its models."""

        def ready() -> bool:
            if node.process.poll() is not None:
                raise FrontDoorError(f"{node.name} ended by itself{self.log_tail(node.name)}")
            with contextlib.suppress(requests.RequestException):
                url = f"http://{node.address}/healthz/ready"
                return self.session.get(url, timeout=2).status_code == 200
            return False

        self.wait(f"{node.name} to be ready", ready)

    def wait(self, what: str, condition: Callable[[], Any]) -> Any:
        """Poll until something is true, which is then the answer."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(POLL_SECONDS)
        raise FrontDoorError(f"waited {START_SECONDS_MAX:.0f} s in vain for {what}")

    def ask_admin(self, path: str) -> requests.Response:
        """A page of the gateway's admin port."""
        try:
            answer = self.session.get(f"http://{self.admin}{path}", timeout=5)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise FrontDoorError(f"the gateway's admin port: {error}") from error
        return answer

    def healthy(self) -> set[str]:
        """The addresses of the nodes that the gateway uses."""
        endpoints = self.ask_admin("/v1/endpoints").json()["endpoints"]
        return {one["address"] for one in endpoints if one["healthy"] and not one["ejected"]}

    def policy(self) -> dict[str, Any]:
        """Routes, canaries and the cache, as the gateway tells them."""
        answer: dict[str, Any] = self.ask_admin("/v1/policy").json()
        return answer

    def retries(self) -> int:
        """How many requests the gateway has sent a second time, from its metrics."""
        samples = [
            float(line.rsplit(" ", 1)[1])
            for line in self.ask_admin("/metrics").text.splitlines()
            if line.startswith("martlet_gateway_retries_total")
        ]
        return round(sum(samples))

    def log_tail(self, name: str) -> str:
        """The end of a process's log, to go under an error."""
        log = self.folder / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
        return "".join(f"\n    {line}" for line in [f"; the end of {log}:", *lines])

    # MARK: Wounding

    def kill(self, node: Node) -> None:
        """End a node outright, as a crash would."""
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()

    def revive(self, node: Node) -> None:
        """Start a node again where it was."""
        node.process = self.start_node(node.name, node.address.rsplit(":", 1)[1])
        self.await_ready(node)


def end(process: subprocess.Popen[bytes]) -> str | None:
    """Ask a process to stop, wait, and say what was wrong with that, if anything."""
    if process.poll() is not None:
        # One that was killed on purpose, or whose end was told of already.
        return None if process.returncode == -signal.SIGKILL else "ended by itself"
    process.terminate()
    try:
        code = process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"did not stop within {STOP_SECONDS_MAX:.0f} s"
    return f"ended with exit code {code}" if code else None
