"""The engine alone in a loop in C: what no server over it can exceed."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import payload
from machine import CORES
from measurement import LoadError, Measurement, Meter


class EngineLimit:
    """The engine alone: `engine_limit.c`, compiled here."""

    def __init__(self, repository: Path, folder: Path, tensorflow: Path, version: Path) -> None:
        self.program = folder / "engine-limit"
        self.tensorflow = tensorflow
        self.tensorflow_version = ""
        self.version = version
        self.names = payload.graph_names(version)
        engine = repository / "Sources/CTensorFlow"
        heap = repository / "Sources/CHeap"
        sources = [
            *(repository / "Benchmarks/engine_limit.c", engine / "martlet_tensorflow.c"),
            heap / "martlet_heap.c",
        ]
        flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-pthread"]
        flags += [f"-I{folder}/include" for folder in (engine, heap)]
        command = [os.environ.get("CC", "cc"), *flags, *sources, "-lm", "-o", self.program]
        subprocess.run(command, check=True)

    def measure(self, seconds: float) -> Measurement:
        """Run it for so many seconds, with as many threads as there are cores."""
        meter = Meter()
        command = [
            *(self.program, self.tensorflow, self.version),
            *(self.names.input, self.names.output, str(CORES), str(seconds)),
        ]
        used_before = os.times()
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        used = os.times()
        if answer.returncode != 0:
            raise LoadError("the engine's own loop failed")
        usage = meter.read(
            used.children_user
            + used.children_system
            - used_before.children_user
            - used_before.children_system
        )
        found = {}
        with contextlib.suppress(json.JSONDecodeError):
            found = json.loads(answer.stdout)
        if not found:
            raise LoadError(f"the engine's own loop printed {answer.stdout!r}")
        self.tensorflow_version = found["tensorflow"]
        return Measurement(
            requests=found["runs"],
            seconds=found["seconds"],
            requests_per_second=found["runs_per_second"],
            p50_ms=found["p50_us"] / 1e3,
            p99_ms=found["p99_us"] / 1e3,
            node_cpu_us=found["cpu_us_per_run"],
            proxy_cpu_us=None,
            client_cpu_us=None,
            client_busy=None,
            others_busy=usage.others,
            stolen=usage.stolen,
        )
