"""The servers that are measured, with the same weights, threads and memory for their tokens."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import machine
import servers
from peers.paths import ROOT, engine_folder
from servers import Server

from llm.loads import Conversations, Load, LongPrompts, SharedPrefix
from llm.stream import Client

MARTLET, LLAMA_SERVER = "Martlet", "llama-server"
MODEL = "smollm2"
REPOSITORY = ROOT / ".models/smollm2-135m"
PROGRAMS = ROOT / ".tools/llama.cpp/bin"
# Keys and values of one token in SmolLM2-135M: 30 layers, 3 heads of 64 numbers, 16 bits each.
CELL_BYTES = 30 * 2 * 3 * 64 * 2


@dataclass(frozen=True)
class Setup:
    """What all servers of a run have in common."""

    martlet: Path
    martlet_flags: tuple[str, ...]
    repository: Path
    # Of llama-server and llama-batched-bench.
    programs: Path
    threads: int
    folder: Path

    @property
    def weights(self) -> Path:
        """The file that all of them load."""
        return weights_in(self.repository)

    def settings(self) -> list[str]:
        """What a reader must know to do the same again."""
        flags = shlex.join(self.martlet_flags) or "none"
        return [
            f"{self.weights.name}; threads: {self.threads}; more flags for Martlet: {flags}",
        ]

    def martlet_version(self) -> str:
        """Such as `0.1.0`."""
        answer = subprocess.run(
            [self.martlet, "--version"], capture_output=True, text=True, check=True
        )
        return answer.stdout.strip()

    def versions(self) -> dict[str, str]:
        """What was measured."""
        server = subprocess.run(
            [self.programs / "llama-server", "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = (server.stdout + server.stderr).splitlines()
        found = next((line for line in lines if line.startswith("version:")), "version: unknown")
        return {
            "Martlet": f"{self.martlet_version()} ({machine.commit(ROOT)})",
            "llama-server": found.partition(":")[2].strip(),
        }


def weights_in(repository: Path) -> Path:
    """The GGUF file of a model's only version; raises if there is none."""
    found = sorted(repository.glob("*/*.gguf"))
    if not found:
        raise servers.ServerError(
            f"there is no model in {repository}; scripts/setup.sh llm-models makes it"
        )
    return found[-1]


class LanguageServer(Server):
    """A server of OpenAI's API."""

    @property
    def address(self) -> str:
        """Where it listens."""
        raise NotImplementedError

    def client(self) -> Client:
        """What asks it."""
        return Client(self.name, self.address, MODEL)

    def resident_bytes(self) -> int:
        """Memory held now."""
        self.check_running()
        pids = [self.pid, *machine.children(self.pid)]
        pages = [Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1] for pid in pids]
        return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


class Martlet(LanguageServer):
    """`martlet serve`; its memory is said in bytes, enough for the sequences worth keeping."""

    def __init__(self, setup: Setup, context_tokens: int, held: int, name: str) -> None:
        self.port_file = servers.fresh(setup.folder / f"{name}.port")
        command = [
            *(setup.martlet, "serve", f"--model={MODEL}={setup.repository}"),
            *servers.quiet(self.port_file),
            *(f"--llama-threads={setup.threads}", f"--context-tokens={context_tokens}"),
            f"--kv-cache={held * context_tokens * CELL_BYTES}",
            *setup.martlet_flags,
        ]
        environment = os.environ | {"MARTLET_LLAMA_PATH": str(engine_folder("llama"))}
        super().__init__(name, command, setup.folder, environment)

    @property
    def address(self) -> str:
        return servers.address_in(self.port_file)

    def is_ready(self) -> bool:
        return servers.get(self.address, "/healthz/ready").ok


class LlamaServer(LanguageServer):
    """llama.cpp's server: as many slots as clients, each with its own part of the memory."""

    def __init__(self, setup: Setup, load: Load, flags: Sequence[str], name: str) -> None:
        self.listens_at = f"127.0.0.1:{servers.free_port()}"
        command = [
            *(setup.programs / "llama-server", "--model", setup.weights, "--alias", MODEL),
            *("--host", "127.0.0.1", "--port", self.listens_at.rpartition(":")[2]),
            *("--threads", setup.threads, "--threads-batch", setup.threads),
            *("--parallel", load.clients, "--ctx-size", load.clients * load.context_tokens),
            *("--no-kv-unified", "--cont-batching", "--cache-prompt"),
            *("--no-ui", "--log-verbosity", "1"),
            *flags,
        ]
        super().__init__(name, [str(word) for word in command], setup.folder)

    @property
    def address(self) -> str:
        return self.listens_at

    def is_ready(self) -> bool:
        return servers.get(self.address, "/health").ok


@dataclass(frozen=True)
class Variant:
    """llama.cpp's server with settings of its own; a load counts the best of each figure."""

    title: str
    flags: tuple[str, ...] = ()
    # Of the loads where it may be better.
    kind: type | None = None
    clients_max: int = 64

    @staticmethod
    def parsed(text: str) -> "Variant":
        """A title, `=`, and flags as a shell reads them."""
        title, _, flags = text.partition("=")
        return Variant(title.strip(), tuple(shlex.split(flags)))

    def suits(self, load: Load) -> bool:
        """Whether it is worth its time in this load."""
        return (self.kind is None or isinstance(load, self.kind)) and (
            load.clients <= self.clients_max
        )


VARIANTS = (
    Variant(LLAMA_SERVER),
    # A single sequence may go faster without a second thread to wait for.
    Variant(f"{LLAMA_SERVER}, -t 1", ("--threads", "1"), SharedPrefix, 1),
    # Prompts of which little is worth keeping need no copies of them.
    Variant(f"{LLAMA_SERVER}, --cache-ram 0", ("--cache-ram", "0"), SharedPrefix),
    # Every conversation finds its slot again.
    Variant(
        f"{LLAMA_SERVER}, 64 slots",
        ("--parallel", "64", "--ctx-size", str(64 * Conversations.context_tokens)),
        Conversations,
    ),
    # Steps of fewer tokens keep the others' tokens flowing.
    Variant(f"{LLAMA_SERVER}, -b 256", ("--batch-size", "256"), LongPrompts),
)
