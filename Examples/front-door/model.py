"""A small model, trained here: does a card payment look like fraud?

Logistic regression on made-up payments whose true rule is known. Version 1 has seen few of them,
version 2 many, so the two answer differently and every answer tells which version gave it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tensorflow.core.framework import graph_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

FloatArray = npt.NDArray[np.float32]

FEATURES = 8
EPOCHS = 200
LEARNING_RATE = 0.5
# A graph of this age has operations in the form that is written here.
GRAPH_VERSION = 1087


@dataclass(frozen=True)
class Payments:
    """Payments by their features, and which of them are fraud."""

    features: FloatArray
    is_fraud: FloatArray


def draw(count: int, seed: int) -> Payments:
    """So many payments, of which some are judged by chance rather than by the rule."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, FEATURES)).astype(np.float32)
    rule = np.linspace(-1.5, 2.0, FEATURES, dtype=np.float32)
    noise = generator.normal(scale=0.5, size=count)
    return Payments(features, (features @ rule + noise > 0.5).astype(np.float32))


@dataclass(frozen=True)
class Model:
    """Weights, one for each feature, and what is added."""

    weights: FloatArray
    bias: float

    def scores(self, features: FloatArray) -> FloatArray:
        """How likely each payment is fraud, from 0 to 1."""
        return 1 / (1 + np.exp(-(features @ self.weights + self.bias)))

    def accuracy(self, payments: Payments) -> float:
        """The share of payments that are judged rightly."""
        judged = self.scores(payments.features) > 0.5
        return float(np.mean(judged == (payments.is_fraud > 0.5)))


def train(payments: Payments) -> Model:
    """Gradient descent on the cross-entropy, from zero."""
    model = Model(np.zeros(FEATURES, np.float32), 0.0)
    for _ in range(EPOCHS):
        error = model.scores(payments.features) - payments.is_fraud
        slope = payments.features.T @ error / len(error)
        model = Model(
            (model.weights - LEARNING_RATE * slope).astype(np.float32),
            model.bias - LEARNING_RATE * float(np.mean(error)),
        )
    return model


# MARK: SavedModel


def save(model: Model, folder: Path) -> None:
    """Write a SavedModel with one signature: `features` of any number of payments to `score`."""
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = saved.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    fill(meta.graph_def, model)
    signature = meta.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["features"].CopyFrom(tensor_info("features:0", [-1, FEATURES]))
    signature.outputs["score"].CopyFrom(tensor_info("score:0", [-1]))
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def fill(graph: graph_pb2.GraphDef, model: Model) -> None:
    """The graph: sigmoid(squeeze(features x weights) + bias)."""
    graph.versions.producer = GRAPH_VERSION
    features = graph.node.add(name="features", op="Placeholder")
    features.attr["dtype"].type = types_pb2.DT_FLOAT
    features.attr["shape"].shape.CopyFrom(shape([-1, FEATURES]))
    constant(graph, "weights", model.weights.reshape(FEATURES, 1))
    constant(graph, "bias", np.array(model.bias, np.float32))
    operation(graph, "product", "MatMul", ["features", "weights"])
    squeezed = operation(graph, "squeezed", "Squeeze", ["product"])
    squeezed.attr["squeeze_dims"].list.i.append(1)
    operation(graph, "sum", "AddV2", ["squeezed", "bias"])
    operation(graph, "score", "Sigmoid", ["sum"])


def operation(graph, name: str, kind: str, inputs: list[str]):
    """A node that computes on floats."""
    node = graph.node.add(name=name, op=kind, input=inputs)
    node.attr["T"].type = types_pb2.DT_FLOAT
    return node


def constant(graph: graph_pb2.GraphDef, name: str, value: FloatArray) -> None:
    """A node that holds a value."""
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = types_pb2.DT_FLOAT
    node.attr["value"].tensor.CopyFrom(
        tensor_pb2.TensorProto(
            dtype=types_pb2.DT_FLOAT,
            tensor_shape=shape(list(value.shape)),
            tensor_content=value.astype("<f4").tobytes(),
        )
    )


def tensor_info(name: str, sizes: list[int]) -> meta_graph_pb2.TensorInfo:
    """A tensor of floats as a signature names it; -1 for any size."""
    return meta_graph_pb2.TensorInfo(name=name, dtype=types_pb2.DT_FLOAT, tensor_shape=shape(sizes))


def shape(sizes: list[int]) -> tensor_shape_pb2.TensorShapeProto:
    """A shape in TensorFlow's words."""
    dimension = tensor_shape_pb2.TensorShapeProto.Dim
    return tensor_shape_pb2.TensorShapeProto(dim=[dimension(size=size) for size in sizes])
