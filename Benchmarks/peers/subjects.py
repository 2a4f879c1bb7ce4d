"""The models that are measured: where they are, what they take, and what they must answer."""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from peers.paths import MODELS, MODELS_PYTHON, ROOT

MAKE_SECONDS_MAX = 600.0
# Of the answer's largest number: sums in another order differ by less.
TOLERANCE = 2e-3
INTEGERS = types_pb2.DT_INT32
EMPTY: Mapping[str, str] = MappingProxyType({})


class SubjectError(Exception):
    """A model is not there and cannot be made."""


@dataclass(frozen=True)
class Signature:
    """What a SavedModel's default signature says, as clients and as the graph name it."""

    input: str
    input_tensor: str
    dtype: int
    output_tensor: str


@dataclass(frozen=True)
class Subject:
    """A model that is measured."""

    name: str
    title: str
    # Below .models.
    path: str
    output: str
    values: Callable[[np.random.Generator], np.ndarray]
    # Requests under way at any moment, one a connection.
    connections: int
    # Requests that peers put into a batch, where that helps: with heavy models on few cores a
    # batch takes as long as its requests one after the other.
    batch: int = 1

    @property
    def folder(self) -> Path:
        """The model's folder, with a folder for each version."""
        return MODELS / self.path

    @property
    def version(self) -> Path:
        """The version's folder."""
        return self.folder / "1"

    @cached_property
    def input_values(self) -> np.ndarray:
        """The numbers of every request, short as text: few digits behind the point."""
        return self.values(np.random.default_rng(2))

    @property
    def array(self) -> np.ndarray:
        """The same as the model takes them."""
        integers = self.signature.dtype == INTEGERS
        return self.input_values.astype(np.int32 if integers else np.float32)

    @property
    def datatype(self) -> str:
        """The type's name in the Open Inference Protocol."""
        return "INT32" if self.signature.dtype == INTEGERS else "FP32"

    @cached_property
    def signature(self) -> Signature:
        """Read out of the SavedModel."""
        description = saved_model_pb2.SavedModel()
        description.ParseFromString((self.version / "saved_model.pb").read_bytes())
        for graph in description.meta_graphs:
            if "serve" in graph.meta_info_def.tags:
                found = graph.signature_def["serving_default"]
                ((name, tensor),) = found.inputs.items()
                output = found.outputs[self.output]
                return Signature(name, tensor.name, tensor.dtype, output.name)
        raise SubjectError(f"{self.version} has no graph tagged `serve`")

    def make(self) -> None:
        """Make the model unless it is there."""
        if self.path.startswith("bench/"):
            maker = ROOT / "Benchmarks/peers/models.py"
            self.run([MODELS_PYTHON, maker, MODELS / "bench", self.name])
        if not (self.version / "saved_model.pb").is_file():
            raise SubjectError(f"there is no model in {self.folder}")

    def reference(self, folder: Path) -> np.ndarray:
        """TensorFlow's own answer; leaves it and the values as raw files in a folder."""
        values, answer = folder / f"{self.name}.values", folder / f"{self.name}.answer"
        values.write_bytes(self.array.tobytes())
        script = ROOT / "Benchmarks/peers/reference.py"
        shape = ",".join(str(size) for size in self.array.shape)
        self.run([MODELS_PYTHON, script, values, shape, answer], self.environment)
        return np.fromfile(answer, np.float32)

    @property
    def environment(self) -> dict[str, str]:
        """By which a process is told what to serve."""
        return {
            "PEER_MODEL": str(self.version),
            "PEER_NAME": self.name,
            "PEER_INPUT": self.signature.input,
            "PEER_OUTPUT": self.output,
            "PEER_ROWS": str(self.input_values.shape[0]),
            "PEER_BATCH": str(self.batch),
        }

    def run(self, command: list[str | Path], environment: Mapping[str, str] = EMPTY) -> None:
        """Run a step in TensorFlow's Python."""
        try:
            ended = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=MAKE_SECONDS_MAX,
                check=False,
                env=os.environ | environment,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SubjectError(f"{self.name}: {error}") from error
        if ended.returncode != 0:
            raise SubjectError(f"{self.name}: {ended.stderr.strip().splitlines()[-1:]}")


def agrees(answer: np.ndarray, expected: np.ndarray) -> bool:
    """Whether an answer is TensorFlow's, but for rounding."""
    if answer.size != expected.size:
        return False
    return bool(np.abs(answer.ravel() - expected).max() <= TOLERANCE * np.abs(expected).max())


def numbers(*shape: int, low: float = 0.0) -> Callable[[np.random.Generator], np.ndarray]:
    """Numbers up to 1, with four digits behind the point."""
    return lambda generator: generator.uniform(low, 1, shape).round(4)


def tokens(length: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Token ids of a vocabulary like BERT's."""
    return lambda generator: generator.integers(1000, 30_000, (1, length))


def features(generator: np.random.Generator) -> np.ndarray:
    """Codes of 16 categories, then 24 numbers."""
    codes = generator.integers(0, 17_100, (1, 16)).astype(np.float64)
    return np.concatenate([codes, generator.normal(0, 1, (1, 24)).round(4)], 1)


def three(generator: np.random.Generator) -> np.ndarray:
    """The three numbers of all of Martlet's examples."""
    return np.array([1.0, 2.0, 5.0])


IMAGE = numbers(1, 224, 224, 3)
SUBJECTS = (
    Subject("half_plus_two", "half-plus-two", "fixtures/half_plus_two", "y", three, 64, 32),
    Subject(
        "tabular",
        "tabular, 3 layers over embeddings, 17.8 M parameters",
        "bench/tabular",
        "probability",
        features,
        64,
        32,
    ),
    Subject("mobilenet_v2", "MobileNetV2", "bench/mobilenet_v2", "output_0", IMAGE, 8),
    Subject("resnet50", "ResNet50", "bench/resnet50", "output_0", IMAGE, 4),
    Subject(
        "bert_base",
        "an encoder of BERT-base's size, 128 tokens",
        "bench/bert_base",
        "pooled",
        tokens(128),
        4,
    ),
    Subject("basic_pitch", "basic-pitch", "basic-pitch", "note", numbers(1, 43844, 1, low=-1), 8),
)
