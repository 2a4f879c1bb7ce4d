"""The harness of the end-to-end tests, by which benchmarks start nodes and gateways.

What is imported after this finds the package `harness`.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from peers.paths import ROOT

sys.path.append(str(ROOT / "Tests/EndToEndTests"))

from harness.processes import Launcher


@contextlib.contextmanager
def launching(name: str) -> Iterator[Launcher]:
    """Starts processes in a folder of its own; at the end both are gone."""
    with tempfile.TemporaryDirectory(prefix=f"martlet-{name}.") as folder:
        launcher = Launcher(Path(folder))
        try:
            yield launcher
        finally:
            launcher.close()
