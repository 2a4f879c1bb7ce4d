"""What a peer is, and its server as a scope."""

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import machine
import servers

from peers import install, processes
from peers.paths import ROOT
from peers.protocols import Protocol
from peers.subjects import Subject

SERVING = ROOT / "Benchmarks/peers/serving"


@dataclass(frozen=True)
class Launch:
    """What a peer is started with."""

    subject: Subject
    folder: Path
    port: int
    grpc_port: int
    # Ports for what else a server insists on.
    spare_ports: tuple[int, ...]
    python: Path

    @property
    def workers(self) -> int:
        """As many as cores."""
        return machine.CORES

    def tool(self, name: str) -> Path:
        """A command that the peer's packages brought."""
        return self.python.parent / name


@dataclass(frozen=True)
class Peer:
    """A model server, with the settings that its manual recommends for production."""

    name: str
    title: str
    package: str
    # Said in the report.
    settings: str
    protocols: Sequence[Protocol]
    # Writes what the server reads, and says how it is started.
    command: Callable[[Launch], Sequence[str | Path]]
    ready_path: str
    # The server works while nobody asks it, so that it may not run beside others.
    restless: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    start_seconds_max: float = 120.0
    has_grpc_port: bool = True
    # What the package brings, where it is not the server itself.
    brings: str = ""

    def version(self) -> str:
        """The version that is pinned."""
        found = install.version(self.name, self.package)
        return f"{self.brings} ({self.package} {found})" if self.brings else found

    def environment_of(self, launch: Launch) -> dict[str, str]:
        """What every peer's code reads, and one thread of TensorFlow for each worker."""
        return {
            "PYTHONPATH": str(SERVING),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "VIRTUAL_ENV": str(launch.python.parent.parent),
            **launch.subject.environment,
            "PEER_WORKERS": str(launch.workers),
            "PEER_PORT": str(launch.port),
            "PEER_GRPC_PORT": str(launch.grpc_port),
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "NO_PROXY": "*",
            **dict(self.environment),
        }

    def start(self, subject: Subject, folder: Path) -> "PeerServer":
        """Install the peer if need be; its server, not started yet."""
        python = install.install(self.name)
        return PeerServer(self, self.launch(subject, folder, python))

    def launch(self, subject: Subject, folder: Path, python: Path = Path()) -> Launch:
        """A folder and ports of its own."""
        folder = folder / f"{self.name}-{subject.name}"
        folder.mkdir(exist_ok=True)
        port, grpc_port, *spare = (servers.free_port() for _ in range(5))
        if not self.has_grpc_port:
            grpc_port = port
        return Launch(subject, folder, port, grpc_port, tuple(spare), python)


class PeerServer(servers.Server):
    """A peer that serves one model, and all processes that it has started."""

    def __init__(self, peer: Peer, launch: Launch) -> None:
        self.peer = peer
        self.token = uuid.uuid4().hex
        self.launch = launch
        self.start_seconds_max = peer.start_seconds_max
        words = peer.command(launch)
        super().__init__(peer.name, words, launch.folder, self.whole_environment())

    def whole_environment(self) -> dict[str, str]:
        """Nothing of ours but what a program needs to run, and what its peer adds."""
        names = ("PATH", "HOME", "LANG")
        ours = {name: os.environ[name] for name in names if name in os.environ}
        return ours | {processes.TOKEN: self.token} | self.peer.environment_of(self.launch)

    def address(self, protocol: Protocol) -> str:
        """Where it listens."""
        port = self.launch.grpc_port if protocol.is_grpc else self.launch.port
        return f"127.0.0.1:{port}"

    def is_ready(self) -> bool:
        path = self.peer.ready_path.format(model=self.launch.subject.name)
        answer = servers.get(f"127.0.0.1:{self.launch.port}", path)
        return answer.ok

    def processor_seconds(self) -> float:
        """Processor time used so far by all its processes that are still there."""
        self.check_running()
        return processes.processor_seconds(processes.of(self.pid, self.token))

    def stop(self) -> None:
        """End the process, and whatever it has started in groups of their own."""
        if self.process is None:
            return
        left = processes.of(self.process.pid, self.token)
        self.process.terminate()
        with contextlib.suppress(Exception):
            self.process.wait(10)
        left |= processes.of(self.process.pid, self.token)
        if self.process.returncode is not None:
            # Its number may be another's by now.
            left.discard(self.process.pid)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        processes.await_end(left)
