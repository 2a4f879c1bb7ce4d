"""The real binary, started, watched and stopped.

No process outlives its test: each is stopped by SIGTERM and must exit 0, each carries a token in
its environment by which its descendants are found, and the kernel ends it if pytest itself dies.
"""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import uuid

from harness.clients import GrpcClient, RestClient, assert_unharmed
from harness.models import fixture
from harness.paths import (
    BINARY,
    FIXTURES,
    LITERT,
    LLAMA,
    OPENVINO,
    OPENVINO_GENAI,
    TENSORFLOW,
)
from harness.waiting import PATIENCE, await_until

TOKEN = "MARTLET_TEST_PROCESS"

# How long a process that has nothing left to do may take to exit.
STOP_SECONDS = 20 * PATIENCE

# Every process of the session, for the log tails that a failed test shows.
STARTED = []


class MartletProcess:
    """One `martlet` command that runs until it is told to stop."""

    def __init__(
        self, name, arguments, directory, environment=None, cwd=None, binary=BINARY, prefix=()
    ):
        self.name = name
        self.log = directory / f"{name}.stderr"
        self.output = directory / f"{name}.stdout"
        self.token = uuid.uuid4().hex
        self.log_mark = 0
        self.ended_on_purpose = False
        self.clients = contextlib.ExitStack()
        with open(self.log, "wb") as log, open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [*bound_to_us(), *prefix, binary, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=cwd,
                env=process_environment(environment, self.token),
            )
        STARTED.append(self)

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def log_lines(self):
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def log_since_mark(self):
        return self.log.read_bytes()[self.log_mark :].decode("utf-8", errors="replace")

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kilobytes.split()[1]) * 1024

    def read_address(self, path, host="127.0.0.1"):
        """Awaits the file that announces a port."""

        def port():
            self.assert_running()
            return path.exists() and path.read_text(encoding="ascii").strip()

        return f"{host}:{int(await_until(port, f'{self.name} to write {path.name}'))}"

    def await_http(self, address, path, seconds=30.0):
        """Polls a health path of this process until it answers 200."""
        client = RestClient(address)

        def healthy():
            self.assert_running()
            with contextlib.suppress(OSError):
                return client.get(path).status_code == 200

        with contextlib.closing(client):
            await_until(healthy, f"{self.name} to answer 200 at {path}", seconds)

    def client(self, kind, address):
        client = kind(address)
        self.clients.callback(client.close)
        return client

    def assert_running(self):
        assert self.running, f"{self.name} exited by itself with code {self.process.returncode}"

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """The exit code, once the process has ended as the test means it to."""
        self.ended_on_purpose = True
        return self.process.wait(seconds)

    def stop(self, number=signal.SIGTERM):
        """Stops the process as an operator would: it must exit 0 and leave no child."""
        self.assert_running()
        self.clients.close()
        self.send(number)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} still ran {STOP_SECONDS} s after {number}") from None
        assert code == 0, f"{self.name} exited with {code} after {number}"
        left = [pid for pid in processes_with(self.token) if end(pid)]
        assert not left, f"{self.name} exited and left processes {left}"

    def kill(self):
        """Ends the process at once, as a crash would, and any child with it."""
        self.ended_on_purpose = True
        self.clients.close()
        self.process.kill()
        self.process.wait()
        for pid in processes_with(self.token):
            end(pid)


class Server(MartletProcess):
    """What clients talk to, at `address`."""

    @functools.cached_property
    def rest(self):
        return self.client(RestClient, self.address)

    @functools.cached_property
    def grpc(self):
        return self.client(GrpcClient, self.address)

    @functools.cached_property
    def openai(self):
        # Imported here, for it takes a second and most tests do without.
        from harness.openai_clients import client_of

        return self.client(client_of, self.address)

    def assert_unharmed(self):
        self.assert_running()
        assert_unharmed(self)


class Node(Server):
    """`martlet serve`."""

    def __init__(self, name, arguments, directory, ready, port=0, host="127.0.0.1", **options):
        port_file = directory / f"{name}.port"
        arguments = ["--host", host, "--port", port, "--port-file", port_file, *arguments]
        super().__init__(name, ["serve", *arguments], directory, **options)
        self.address = self.read_address(port_file, host)
        # Over TLS the test awaits it, who knows the certificates.
        if ready:
            self.await_http(self.address, f"/healthz/{ready}")

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def await_state(self, model, version, state, seconds=20.0):
        await_until(
            lambda: self.rest.states(model).get(version) == state,
            f"version {version} of {model} to be {state}",
            seconds,
        )

    def await_in_flight(self, count):
        """Awaits `count` requests beside the one that asks."""
        await_until(
            lambda: self.rest.metrics().total("martlet_requests_in_flight") > count,
            f"{count} requests in flight",
        )


class Gateway(Server):
    """`martlet gateway`."""

    def __init__(self, name, arguments, directory, ready, port=0, **options):
        port_file = directory / f"{name}.port"
        admin_port_file = directory / f"{name}.admin-port"
        arguments = [
            "gateway",
            *("--port", port, "--port-file", port_file),
            *("--admin-port", 0, "--admin-port-file", admin_port_file),
            *arguments,
        ]
        super().__init__(name, arguments, directory, **options)
        self.address = self.read_address(port_file)
        self.admin_address = self.read_address(admin_port_file)
        self.await_http(self.admin_address, f"/healthz/{ready}")

    @functools.cached_property
    def admin(self):
        return self.client(RestClient, self.admin_address)

    def endpoints(self):
        response = self.admin.get("/v1/endpoints")
        assert response.status_code == 200, response.text
        return {endpoint["address"]: endpoint for endpoint in response.json()["endpoints"]}

    def await_health(self, node, healthy):
        await_until(
            lambda: self.endpoints()[node.address]["healthy"] is healthy,
            f"endpoint {node.address} to be {'healthy' if healthy else 'unhealthy'}",
        )

    def await_all_healthy(self, nodes):
        for node in nodes:
            self.await_health(node, healthy=True)


class Cluster(MartletProcess):
    """`martlet up`: a gateway and its nodes as one command."""

    def __init__(self, name, configuration, directory, **options):
        self.state_file = directory / f"{name}.state.json"
        arguments = ["up", "-c", configuration, "--state-file", self.state_file]
        super().__init__(name, arguments, directory, **options)
        self.await_nodes_ready()
        self.address = self.state()["gateway"]["address"]
        self.admin_address = self.state()["gateway"]["admin_address"]
        self.await_http(self.admin_address, "/healthz/ready")

    @functools.cached_property
    def rest(self):
        return self.client(RestClient, self.address)

    @functools.cached_property
    def grpc(self):
        return self.client(GrpcClient, self.address)

    def assert_unharmed(self):
        self.assert_running()
        assert_unharmed(self)

    def state(self):
        """The state file, which is whole whenever it is read."""
        return json.loads(self.state_file.read_text(encoding="utf-8"))

    def nodes(self):
        return {node["name"]: node for node in self.state()["nodes"]}

    def await_nodes_ready(self):
        def ready():
            self.assert_running()
            return self.state_file.exists() and all(
                node["state"] == "ready" for node in self.nodes().values()
            )

        await_until(ready, f"every node of {self.name} to be ready", 40.0)

    def pids(self):
        state = self.state()
        return [state["gateway"]["pid"], *(node["pid"] for node in state["nodes"])]


class Launcher:
    """Starts processes for one scope, and ends what still runs when the scope does."""

    def __init__(self, directory):
        self.directory = directory
        self.processes = []

    def serve(self, models=("half_plus_two",), *flags, ready="ready", access_log=False, **options):
        """A node; `models` are names of fixtures, or a mapping of names to folders.

        Without access log unless a test wants it: under load it would hide the other lines.
        """
        if not isinstance(models, dict):
            models = {name: fixture(name) for name in models}
        arguments = [f"--model={name}={path}" for name, path in models.items()]
        if not access_log:
            arguments.append("--no-access-log")
        return self.start(Node, "node", [*arguments, *flags], ready=ready, **options)

    def gateway(self, nodes, *flags, ready="ready", **options):
        """A gateway in front of nodes, or of bare addresses."""
        addresses = [getattr(node, "address", node) for node in nodes]
        arguments = [f"--endpoint={address}" for address in addresses]
        return self.start(Gateway, "gateway", [*arguments, *flags], ready=ready, **options)

    def up(self, configuration, **options):
        return self.start(Cluster, "cluster", configuration, **options)

    def run(self, *arguments, environment=None, cwd=None, seconds=20):
        """A command that ends by itself."""
        require_set_up()
        return subprocess.run(
            [*bound_to_us(), BINARY, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE * seconds,
            cwd=cwd,
            env=process_environment(environment, uuid.uuid4().hex),
            check=False,
        )

    def close(self):
        failures = []
        for process in reversed(self.processes):
            if process.ended_on_purpose:
                process.kill()
                continue
            try:
                process.stop()
            except AssertionError as failure:
                process.kill()
                failures.append(failure)
        if failures:
            raise failures[0]

    def start(self, kind, role, arguments, **options):
        """A process of any kind; the options are that kind's."""
        require_set_up()
        before = len(STARTED)
        name = f"{role}-{len(self.processes) + 1}"
        try:
            process = kind(name, arguments, self.directory, **options)
        except BaseException:
            # It started but did not become ready: nobody else knows it yet.
            for process in STARTED[before:]:
                process.kill()
            raise
        self.processes.append(process)
        return process


def require_set_up():
    for path, made_by in ((BINARY, "make test-swift"), (FIXTURES, "scripts/setup.sh fixtures")):
        assert path.exists(), f"{path} is missing: {made_by} makes it"


def process_environment(changes, token):
    environment = dict(os.environ)
    environment["MARTLET_TENSORFLOW_PATH"] = str(TENSORFLOW)
    environment["MARTLET_LITERT_PATH"] = str(LITERT)
    environment["MARTLET_OPENVINO_PATH"] = str(OPENVINO)
    environment["MARTLET_OPENVINO_GENAI_PATH"] = str(OPENVINO_GENAI)
    environment["MARTLET_LLAMA_PATH"] = str(LLAMA)
    environment[TOKEN] = token
    for variable, value in (changes or {}).items():
        if value is None:
            environment.pop(variable, None)
        else:
            environment[variable] = value
    return environment


@functools.cache
def bound_to_us():
    """A prefix that has the kernel end the command when this process ends, however it ends."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def processes_with(token):
    """Running processes whose environment carries the token: one that we started, or its child."""
    entry = f"{TOKEN}={token}".encode()
    found = []
    for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if entry in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


def end(pid):
    """Kills a process; false if it had ended already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def exists(pid):
    return pathlib.Path(f"/proc/{pid}").exists()
