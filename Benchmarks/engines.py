#!/usr/bin/env python3
"""What is served of each engine's own limit: MobileNetV2, and basic-pitch, over gRPC.

The limit is OpenVINO in a loop in C, with as many threads as cores and nothing around it. Rounds of
limit and served take turns, so that what disturbs the machine disturbs both. The models are made,
or fetched, where they are not there.
"""

import argparse
import json
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from end_to_end import launching
from harness.processes import Launcher, Node
from machine import CORES, describe_machine
from peers.paths import ROOT
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

RATE = re.compile(r"finished in [\d.]+\w+, ([\d.]+) req/s")
STATUS = re.compile(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")


@dataclass(frozen=True)
class Model:
    """A model that is measured."""

    title: str
    folder: Path
    input: str
    output: str
    size: tuple[int, ...]


MODELS = (
    Model(
        "MobileNetV2",
        ROOT / ".models/bench/mobilenet_v2",
        "keras_tensor",
        "output_0",
        (1, 224, 224, 3),
    ),
    Model("basic-pitch", ROOT / ".models/basic-pitch", "input_2", "note", (1, 43844, 1)),
)


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each kind (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round (%(default)g)")
    parser.add_argument("--engine", default="auto", help="for --engine (%(default)s)")
    parser.add_argument("--in-flight", type=int, default=2 * CORES, help="requests (%(default)s)")
    arguments = parser.parse_args()
    make_models()
    print(describe_machine())
    print("| model | precision | engine | limit, runs/s | served, requests/s | served of limit |")
    print("|---|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = compile_limit(folder)
        for model in MODELS:
            for precision in ("exact", "fast"):
                print(row(model, precision, program, folder, arguments), flush=True)
    return 0


def make_models() -> None:
    """Make MobileNetV2 unless it is there."""
    python, folder = ROOT / ".venv-models/bin/python", MODELS[0].folder
    maker = ROOT / "Benchmarks/peers/models.py"
    subprocess.run([python, maker, folder.parent, folder.name], check=True)


def compile_limit(folder: Path) -> Path:
    """Compile the loop in C."""
    shim = ROOT / "Sources/COpenVINO"
    program = folder / "openvino-limit"
    sources = [ROOT / "Benchmarks/openvino_limit.c", shim / "martlet_openvino.c"]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-pthread", f"-I{shim}/include"]
    subprocess.run(["cc", *flags, *sources, "-ldl", "-o", program], check=True)
    return program


def row(
    model: Model, precision: str, program: Path, folder: Path, arguments: argparse.Namespace
) -> str:
    """Measure one row of the table."""
    body = folder / "body"
    body.write_bytes(request(model))
    flags = [f"--engine={arguments.engine}", f"--precision={precision}"]
    limits, served = [], []
    with launching("engines") as launcher:
        node = launcher.serve({"m": model.folder}, *flags)
        engine = chosen(launcher, node)
        # Where TensorFlow is chosen the limit is still that of OpenVINO, at the same precision.
        kind = "bf16" if engine["precision"] == "fast" else "f32"
        for _ in range(arguments.rounds):
            limits.append(limit(model, kind, program, arguments.seconds))
            served.append(load(node, body, arguments))
    best, found = statistics.median(limits), statistics.median(served)
    shown = f"{engine['name']}, {kind} ({engine['detail']})"
    return (
        f"| {model.title} | {precision} | {shown} | {best:.0f} | {found:.0f} | {found / best:.2f} |"
    )


def chosen(launcher: Launcher, node: Node) -> dict[str, str]:
    """The engine that runs the model."""
    ended = launcher.run("model", "list", "--json", "--address", node.address)
    return json.loads(ended.stdout)["models"][0]["versions"][0]["engine"]


def limit(model: Model, kind: str, program: Path, seconds: float) -> float:
    """Runs a second of the loop in C."""
    engine = os.environ.get("MARTLET_OPENVINO_PATH", ROOT / ".engines/openvino")
    command = [program, engine, model.folder / "1", model.input, model.output, kind, CORES]
    words = [str(word) for word in [*command, seconds, *model.size]]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def request(model: Model) -> bytes:
    """The request with gRPC's prefix: not compressed, and its length."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = "m"
    message.output_filter.append(model.output)
    tensor = message.inputs[model.input]
    tensor.dtype = types_pb2.DT_FLOAT
    for size in model.size:
        tensor.tensor_shape.dim.add(size=size)
    values = np.random.default_rng(2).random(model.size, dtype=np.float32)
    tensor.tensor_content = values.tobytes()
    encoded = message.SerializeToString()
    return struct.pack(">BI", 0, len(encoded)) + encoded


def load(node: Node, body: Path, arguments: argparse.Namespace) -> float:
    """Requests a second that the node answers, all of them well."""
    command = ["h2load", "-c", str(arguments.in_flight), "-m", "1", "-D", f"{arguments.seconds:g}"]
    command += ["--warm-up-time", "1", "-d", str(body), "-H", "content-type: application/grpc"]
    url = f"http://{node.address}/tensorflow.serving.PredictionService/Predict"
    output = subprocess.run(
        [*command, "-H", "te: trailers", url], check=True, capture_output=True, text=True
    ).stdout
    if any(int(count) for count in STATUS.search(output).groups()[1:]):
        raise SystemExit(f"not all requests were answered:\n{output}")
    return float(RATE.search(output).group(1))


if __name__ == "__main__":
    sys.exit(main())
