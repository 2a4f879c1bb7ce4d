"""Martlet as one more peer: a node with the settings that its manual recommends."""

import dataclasses
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peers.paths import ROOT, engine_folder
from peers.peer import Launch, Peer, PeerServer
from peers.protocols import GRPC, REST
from peers.subjects import Subject

# For every model, and for those whose requests gain by being run together.
FLAGS = ("--engine", "auto")
BATCHING_FLAGS = ("--enable-batching",)
COMMAND_SECONDS_MAX = 20.0


@dataclass(frozen=True)
class Engine:
    """What a node runs a model by."""

    name: str
    detail: str
    precision: str


def binary() -> Path:
    """The program: `$MARTLET_BINARY`, else the release build."""
    return Path(os.environ.get("MARTLET_BINARY", ROOT / ".build/release/martlet")).resolve()


def command(launch: Launch) -> Sequence[str | Path]:
    """`martlet serve`."""
    subject = launch.subject
    batching = BATCHING_FLAGS if subject.batch > 1 else ()
    return [
        *(binary(), "serve", f"--model={subject.name}={subject.folder}"),
        *(f"--port={launch.port}", "--no-access-log", "--log-level=error"),
        *FLAGS,
        *batching,
    ]


class Martlet(Peer):
    """A peer that is built, not installed, and answers all protocols on one port."""

    def version(self) -> str:
        return output_of("--version")

    def environment_of(self, launch: Launch) -> dict[str, str]:
        engines = ("tensorflow", "openvino", "litert")
        return {f"MARTLET_{name.upper()}_PATH": str(engine_folder(name)) for name in engines}

    def start(self, subject: Subject, folder: Path) -> PeerServer:
        return PeerServer(self, self.launch(subject, folder))


def chosen_engine(server: PeerServer) -> Engine:
    """The engine that runs the model."""
    listed = json.loads(output_of("model", "list", "--json", "--address", server.address(REST)))
    engine = listed["models"][0]["versions"][0]["engine"]
    return Engine(engine["name"], engine.get("detail", ""), engine.get("precision", ""))


def output_of(*words: str) -> str:
    """What a command of the program prints, on one line."""
    ended = subprocess.run(
        [binary(), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=COMMAND_SECONDS_MAX,
    )
    return " ".join(ended.stdout.split())


def with_flags(*flags: str) -> Martlet:
    """A node that is started with more flags."""
    return dataclasses.replace(martlet, command=lambda launch: [*command(launch), *flags])


martlet = Martlet(
    "martlet",
    "Martlet",
    "martlet",
    f"{' '.join(FLAGS)}, {' '.join(BATCHING_FLAGS)} for light models, no access log",
    (REST, GRPC),
    command,
    "/healthz/ready",
    has_grpc_port=False,
)
