"""The engines alone, in loops in C: TensorFlow's C API and OpenVINO's."""

import json
import os
import re
import subprocess
from pathlib import Path

from machine import CORES, field
from measurement import LoadError

from peers import install
from peers.outcome import Outcome
from peers.paths import BUILD, ROOT, engine_folder
from peers.subjects import INTEGERS, Subject

# Loading, the first runs, and 2 s of warm-up, beside what is measured.
SLACK_SECONDS = 120.0
APP_COUNT = re.compile(r"Count: +(\d+) iterations")
APP_DURATION = re.compile(r"Duration: +([\d.]+) ms")
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-pthread")


def compile_loop(source: str, room: str, shim: str) -> Path:
    """Compile one of the loops with the shim that Martlet itself uses."""
    BUILD.mkdir(exist_ok=True)
    program = BUILD / Path(source).stem
    folder, heap = ROOT / "Sources" / room, ROOT / "Sources/CHeap"
    command = [
        *(os.environ.get("CC", "cc"), *FLAGS, f"-I{folder}/include", f"-I{heap}/include"),
        *(ROOT / "Benchmarks" / source, folder / shim, heap / "martlet_heap.c"),
        *("-lm", "-ldl", "-o", program),
    ]
    subprocess.run(command, check=True, timeout=SLACK_SECONDS)
    return program


class Limits:
    """The loops, compiled, over one model."""

    def __init__(self) -> None:
        self.tensorflow = compile_loop("engine_limit.c", "CTensorFlow", "martlet_tensorflow.c")
        self.openvino = compile_loop("openvino_limit.c", "COpenVINO", "martlet_openvino.c")

    def run_tensorflow(
        self, subject: Subject, settings: str, folder: Path, seconds: float
    ) -> Outcome:
        """TensorFlow with `default` threads, or in the threads that call it (`caller`)."""
        signature = subject.signature
        command = [
            *(self.tensorflow, engine_folder("tensorflow"), subject.version),
            *(signature.input_tensor, signature.output_tensor, CORES, seconds),
            *(settings, signature.dtype),
            *(folder / f"{subject.name}.values", folder / f"{subject.name}.answer"),
            *subject.array.shape,
        ]
        found = json.loads(output_of(command, seconds))
        return Outcome(
            rate=found["runs_per_second"],
            requests=found["runs"],
            seconds=found["seconds"],
            p50_ms=found["p50_us"] / 1e3,
            p99_ms=found["p99_us"] / 1e3,
            cpu_us=found["cpu_us_per_run"],
        )

    def run_openvino(self, subject: Subject, precision: str, seconds: float) -> Outcome:
        """OpenVINO's throughput mode, as many streams as cores."""
        signature = subject.signature
        suffix = ":i32" if signature.dtype == INTEGERS else ""
        command = [
            *(self.openvino, engine_folder("openvino"), subject.version),
            *(f"{signature.input}{suffix}", subject.output, precision, CORES, seconds),
            *subject.array.shape,
        ]
        return Outcome(rate=float(output_of(command, seconds)))

    def run_benchmark_app(self, subject: Subject, seconds: float) -> Outcome:
        """OpenVINO's own benchmark, which fixes the shapes and draws its own numbers."""
        python = install.install("openvino")
        shape = ",".join(str(size) for size in subject.array.shape)
        command = [
            *(python.parent / "benchmark_app", "-m", subject.version, "-d", "CPU"),
            *("-hint", "throughput", "-infer_precision", "f32"),
            *("-shape", f"{subject.signature.input}[{shape}]", "-t", max(1, round(seconds))),
        ]
        output = output_of(command, seconds)
        count, duration = APP_COUNT.search(output), APP_DURATION.search(output)
        if count is None or duration is None:
            raise LoadError(f"benchmark_app printed {output[-300:]!r}")
        runs, took = int(count[1]), float(duration[1]) / 1e3
        return Outcome(rate=runs / took, requests=runs, seconds=took)


def output_of(command: list[object], seconds: float) -> str:
    """What a loop prints."""
    words = [str(word) for word in command]
    try:
        ended = subprocess.run(
            words, capture_output=True, text=True, timeout=seconds + SLACK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"the engine's own loop did not end: {error}") from error
    if ended.returncode != 0:
        lines = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise LoadError(f"the engine's own loop failed: {lines[-1]}")
    return ended.stdout


def has_bf16() -> bool:
    """Whether the processor computes with 16-bit numbers itself."""
    flags = (field("/proc/cpuinfo", "flags") or "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags
