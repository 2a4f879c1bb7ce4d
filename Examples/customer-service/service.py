"""A node with a language model, and a gateway with a key before it: made, watched and stopped."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from answers import MODEL

START_SECONDS_MAX = 40.0
STOP_SECONDS_MAX = 20.0
COMMAND_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02

NODE, GATEWAY = "node", "gateway"


class ServiceError(Exception):
    """Something of it did not do what it must."""


class Service:
    """The node and the gateway as a scope: leaving it stops them, whatever happened."""

    def __init__(
        self, martlet: Path, model: Path, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.martlet = martlet
        self.model = model
        self.folder = folder
        self.environment = dict(environment)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.addresses: dict[str, str] = {}
        self.stop_problems: list[str] = []
        self.session = requests.Session()
        # All is on this machine.
        self.session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The gateway first, so that it finishes what it has.
        for name, process in reversed(self.processes.items()):
            problem = end(process)
            if problem:
                self.stop_problems.append(f"{name} {problem}{self.log_tail(name)}")
        self.session.close()

    # MARK: Setting up

    def make_key(self) -> str:
        """A key for the model; the file of credentials has only its digest."""
        command = ["key", "new", "--id", "website", "--tenant", "heron-and-reed", "--model", MODEL]
        made = subprocess.run(
            [self.martlet, *command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if made.returncode != 0:
            raise ServiceError(f"martlet {' '.join(command)}: {made.stderr.strip()}")
        (self.folder / "credentials.yaml").write_text(f"keys:\n{made.stdout}")
        return made.stderr.strip().splitlines()[-1]

    def start_node(self) -> None:
        """Start the node, and wait until it has loaded the model."""
        self.start(
            NODE,
            *("serve", f"--model={MODEL}={self.model}", "--port=0", "--no-access-log"),
            *("--context-tokens=2048", "--kv-cache=256MiB"),
        )
        self.wait(NODE, "the model to be loaded", lambda: self.is_ready(NODE))

    def start_gateway(self) -> None:
        """Start the gateway, and wait until it could forward a request."""
        (self.folder / "gateway.yaml").write_text(
            f"""\
listen: {{port: 0}}
admin: {{port: 0}}
access:
  api_keys_file: credentials.yaml
pools:
  - name: language
    endpoints: [{self.addresses[NODE]}]
    balancing: prefix_aware
"""
        )
        self.start(GATEWAY, "gateway", "--config=gateway.yaml")
        self.wait(GATEWAY, "the gateway to find its node healthy", lambda: self.is_ready(GATEWAY))

    def start(self, name: str, *arguments: str) -> None:
        """Start a process with its log in the folder, and wait for its port."""
        port_file = self.folder / f"{name}.port"
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                # Should the demo be killed, its processes end with it.
                [self.martlet, *arguments, f"--port-file={port_file}", "--exit-with-parent"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C must reach the demo alone, which then stops all in order.
                start_new_session=True,
            )

        def port() -> str:
            return port_file.read_text().strip() if port_file.exists() else ""

        self.addresses[name] = f"127.0.0.1:{self.wait(name, f'the {name} to listen', port)}"

    # MARK: Watching

    @property
    def address(self) -> str:
        """Where clients ask."""
        return self.addresses[GATEWAY]

    def is_ready(self, name: str) -> bool:
        """Whether a process says that it could answer."""
        with contextlib.suppress(requests.RequestException):
            url = f"http://{self.addresses[name]}/healthz/ready"
            return self.session.get(url, timeout=2).status_code == 200
        return False

    def status_with(self, key: str | None) -> int:
        """The status of a request for a single token with a key, or with none."""
        fields = {} if key is None else {"authorization": f"Bearer {key}"}
        url = f"http://{self.address}/v1/chat/completions"
        hello = [{"role": "user", "content": "Hello!"}]
        body = {"model": MODEL, "messages": hello, "max_tokens": 1}
        return self.session.post(url, json=body, headers=fields, timeout=20).status_code

    def running(self) -> int:
        """How many sequences the node generates now, by its metrics."""
        answer = self.session.get(f"http://{self.addresses[NODE]}/metrics", timeout=5)
        answer.raise_for_status()
        samples = [
            float(line.rsplit(" ", 1)[1])
            for line in answer.text.splitlines()
            if line.startswith("martlet_sequences_running{")
        ]
        if not samples:
            raise ServiceError("the node's metrics have no martlet_sequences_running")
        return round(sum(samples))

    def wait(
        self, name: str, what: str, condition: Callable[[], Any], seconds: float = START_SECONDS_MAX
    ) -> Any:
        """Poll a process until something is true, which is then the answer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.processes[name].poll() is not None:
                raise ServiceError(f"the {name} ended by itself{self.log_tail(name)}")
            value = condition()
            if value:
                return value
            time.sleep(POLL_SECONDS)
        raise ServiceError(f"waited {seconds:.0f} s in vain for {what}{self.log_tail(name)}")

    def log_tail(self, name: str) -> str:
        """The end of a process's log, to go under an error."""
        log = self.folder / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
        return "".join(f"\n    {line}" for line in [f"; the end of {log}:", *lines])


def end(process: subprocess.Popen[bytes]) -> str | None:
    """Ask a process to stop, wait, and say what was wrong with that, if anything."""
    if process.poll() is not None:
        return "ended by itself"
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"did not stop within {STOP_SECONDS_MAX:.0f} s"
    return f"ended with exit code {code}" if code else None
