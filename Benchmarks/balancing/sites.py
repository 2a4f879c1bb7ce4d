"""The nodes and gateways of `balancers_real.py`: for each algorithm its own, so that all can be
measured at once and none meets the queues of another."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.policies import follow, pool
from harness.processes import Gateway, Launcher, Node
from peers.paths import MODELS_PYTHON, ROOT, progress

ALGORITHMS = (
    "dynamic-weighted-round-robin",
    "round-robin",
    "least-request",
    "peak-ewma",
    "prequal",
    "consistent-hash",
)
FINE, SLOW, FAILING = "fine", "slow", "failing"
# Of a request, on average. A node that fails does so at once.
SECONDS = {FINE: 0.05, SLOW: 0.5}
# Those of the simulated nodes: requests of a node that run at once, and that wait.
WORKERS, QUEUE = 4, 64
# Of what the nodes that answer can carry together.
LOAD = 0.6
# Its value decides where consistent hashing sends a request.
HASH_HEADER = "x-client"
MAKE_SECONDS_MAX = 120.0


@dataclass(frozen=True)
class Scenario:
    """Three nodes, and whether the gateway ejects those that do badly, as it does by default."""

    name: str
    kinds: tuple[str, str, str]
    ejects: bool

    @property
    def rate(self) -> float:
        """Requests a second."""
        return LOAD * sum(WORKERS / SECONDS[kind] for kind in self.kinds if kind in SECONDS)


def scenarios() -> Iterator[Scenario]:
    """All of them; where all are equal there is nobody to eject."""
    yield Scenario("all are equal", (FINE, FINE, FINE), ejects=True)
    for name, kinds in (
        ("one is 10x slower", (FINE, FINE, SLOW)),
        ("one fails fast", (FINE, FINE, FAILING)),
        ("one is 10x slower, another fails fast", (FINE, SLOW, FAILING)),
    ):
        yield Scenario(name, kinds, ejects=True)
        yield Scenario(f"{name}, without ejection", kinds, ejects=False)


class Site:
    """The nodes of one algorithm, of which each scenario takes three."""

    def __init__(self, launcher: Launcher, algorithm: str, models: Path) -> None:
        self.launcher = launcher
        self.algorithm = algorithm
        kinds = (FINE, FINE, FINE, SLOW, FAILING)
        self.nodes = [(kind, self._node(models / kind)) for kind in kinds]

    def _node(self, model: Path) -> Node:
        return self.launcher.serve(
            {"half_plus_two": model},
            *("--engine", "tensorflow", "--log-level", "error"),
            *("--engine-threads", WORKERS, "--queue-capacity", QUEUE),
        )

    def three(self, scenario: Scenario) -> list[Node]:
        """The nodes of a scenario, in its order."""
        left = list(self.nodes)
        found = []
        for kind in scenario.kinds:
            place = next(index for index, (its, _) in enumerate(left) if its == kind)
            found.append(left.pop(place)[1])
        return found

    @contextlib.contextmanager
    def gateway(self, scenario: Scenario) -> Iterator[Gateway]:
        """A gateway in front of three nodes, with default settings but for the algorithm."""
        settings = {"balancing": self.algorithm.replace("-", "_"), "health": {}}
        if self.algorithm == "consistent-hash":
            settings["hash_header"] = HASH_HEADER
        if not scenario.ejects:
            settings["outliers"] = {"consecutive_failures": 0}
        policy = {"pools": [pool("main", *self.three(scenario), **settings)]}
        gateway = follow(self.launcher, policy, "--no-access-log", "--log-level", "error")
        try:
            yield gateway
        finally:
            gateway.stop()


def make_models(folder: Path) -> None:
    """Write the models of all kinds into a folder."""
    progress("the models")
    waiting = [f"{name}={seconds}" for name, seconds in SECONDS.items()]
    maker = ROOT / "Benchmarks/balancing/models.py"
    ended = subprocess.run(
        [MODELS_PYTHON, maker, folder, *waiting],
        capture_output=True,
        text=True,
        timeout=MAKE_SECONDS_MAX,
        check=False,
    )
    if ended.returncode != 0:
        raise OSError(f"{maker}: {ended.stderr.strip()[-400:]}")
