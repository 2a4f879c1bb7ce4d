#!/usr/bin/env python3
"""Makes the SavedModels that are measured, each once, with weights that no two answers share.

    .venv-models/bin/python Benchmarks/peers/models.py .models/bench NAME...

A model is made aside and renamed. Keras' `export` writes each variable twice, so the two image
networks are twice as large on disk as in memory.
"""

import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

# Read once, when TensorFlow is imported.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf

# Tabular: codes of categories, each with a table of its own, and plain numbers beside them.
CATEGORIES, ROWS, WIDTH, NUMBERS = 16, 17_100, 64, 24
DENSE = (256, 128, 1)
# BERT-base, but for the segment embeddings, which a single sentence does without.
LAYERS, HIDDEN, HEADS, INNER, LENGTH, VOCABULARY = 12, 768, 12, 3072, 128, 30_522


class Tabular(tf.Module):
    """Embeddings of 16 categories beside 24 numbers, then 3 dense layers: 17.8 M parameters."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__()
        self.table = variable(generator, CATEGORIES * ROWS, WIDTH, scale=0.3)
        widths = (CATEGORIES * WIDTH + NUMBERS, *DENSE)
        self.kernels = [
            variable(generator, before, after, scale=(2 / before) ** 0.5)
            for before, after in itertools.pairwise(widths)
        ]
        self.biases = [variable(generator, width, scale=0.1) for width in DENSE]

    @tf.function(
        input_signature=[tf.TensorSpec([None, CATEGORIES + NUMBERS], tf.float32, "features")]
    )
    def predict(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """The probability of fraud, say."""
        # Floats hold whole numbers below 2^24 exactly.
        codes = tf.cast(features[:, :CATEGORIES], tf.int32) + ROWS * tf.range(CATEGORIES)
        embedded = tf.reshape(tf.gather(self.table, codes), [-1, CATEGORIES * WIDTH])
        hidden = tf.concat([embedded, features[:, CATEGORIES:]], 1)
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            hidden = tf.nn.relu(hidden @ kernel + bias)
        return {"probability": tf.sigmoid(hidden @ self.kernels[-1] + self.biases[-1])}


class Encoder(tf.Module):
    """An encoder of BERT-base's size: token ids in, the first token's pooled state out."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__()
        self.words = variable(generator, VOCABULARY, HIDDEN, scale=0.5)
        self.positions = variable(generator, LENGTH, HIDDEN, scale=0.5)
        self.layers = [EncoderLayer(generator) for _ in range(LAYERS)]
        self.pooler = variable(generator, HIDDEN, HIDDEN, scale=0.03)

    @tf.function(input_signature=[tf.TensorSpec([None, LENGTH], tf.int32, "tokens")])
    def predict(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a classifier on top would read."""
        hidden = normalised(tf.gather(self.words, tokens) + self.positions)
        for layer in self.layers:
            hidden = layer(hidden)
        return {"pooled": tf.tanh(hidden[:, 0] @ self.pooler)}


class EncoderLayer(tf.Module):
    """Attention over all tokens, then two dense layers, each added to its input."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__()
        self.attention = [variable(generator, HIDDEN, HIDDEN, scale=0.05) for _ in range(4)]
        self.biases = [variable(generator, HIDDEN, scale=0.02) for _ in range(4)]
        self.inner = variable(generator, HIDDEN, INNER, scale=0.05)
        self.inner_bias = variable(generator, INNER, scale=0.02)
        self.outer = variable(generator, INNER, HIDDEN, scale=0.05)
        self.outer_bias = variable(generator, HIDDEN, scale=0.02)

    def __call__(self, hidden: tf.Tensor) -> tf.Tensor:
        """One layer."""
        query, key, value = (self.heads(hidden, index) for index in range(3))
        scores = tf.matmul(query, key, transpose_b=True) / (HIDDEN / HEADS) ** 0.5
        attended = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), [0, 2, 1, 3])
        joined = dense(tf.reshape(attended, [-1, LENGTH, HIDDEN]), self.attention[3])
        hidden = normalised(hidden + joined + self.biases[3])
        inner = tf.nn.gelu(dense(hidden, self.inner) + self.inner_bias)
        return normalised(hidden + dense(inner, self.outer) + self.outer_bias)

    def heads(self, hidden: tf.Tensor, index: int) -> tf.Tensor:
        """A projection, cut into heads."""
        projected = dense(hidden, self.attention[index]) + self.biases[index]
        cut = tf.reshape(projected, [-1, LENGTH, HEADS, HIDDEN // HEADS])
        return tf.transpose(cut, [0, 2, 1, 3])


def dense(hidden: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
    """One large product of matrices, for all tokens of all rows."""
    width = kernel.shape[1]
    flat = tf.reshape(hidden, [-1, kernel.shape[0]]) @ kernel
    return tf.reshape(flat, [-1, LENGTH, width])


def normalised(hidden: tf.Tensor) -> tf.Tensor:
    """Layer normalisation."""
    mean, variance = tf.nn.moments(hidden, [-1], keepdims=True)
    return (hidden - mean) * tf.math.rsqrt(variance + 1e-12)


def variable(generator: np.random.Generator, *shape: int, scale: float) -> tf.Variable:
    """Weights from a normal distribution."""
    values = generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)
    return tf.Variable(values, name="weights")


def make_module(kind: type[Tabular] | type[Encoder]) -> Callable[[Path], None]:
    """A maker of one of the modules above."""

    def make(folder: Path) -> None:
        module = kind(np.random.default_rng(1))
        tf.saved_model.save(module, str(folder), {"serving_default": module.predict})

    return make


def make_image_network(name: str) -> Callable[[Path], None]:
    """A maker of a network that Keras brings."""

    def make(folder: Path) -> None:
        # Names, of the input too, are counted from the start.
        tf.keras.utils.clear_session()
        model = getattr(tf.keras.applications, name)(weights=None)
        scatter(model)
        temper(model)
        model.export(str(folder), verbose=False)

    return make


def scatter(model: "tf.keras.Model") -> None:
    """Weights as training leaves them: without it all answers would be alike."""
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            gamma, beta, mean, _ = layer.get_weights()
            layer.set_weights(
                [
                    generator.uniform(0.8, 1.6, gamma.shape),
                    generator.normal(0, 0.3, beta.shape),
                    mean,
                    generator.uniform(0.05, 0.4, gamma.shape),
                ]
            )
        elif isinstance(layer, tf.keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layer.set_weights([generator.normal(0, 0.3, kernel.shape), bias])


def temper(model: "tf.keras.Model") -> None:
    """Scale the last layer so that no class takes all of the probability."""
    before = tf.keras.Model(model.input, model.layers[-2].output)
    image = np.random.default_rng(2).random((1, *model.input.shape[1:]), np.float32)
    kernel, bias = model.layers[-1].get_weights()
    spread = float(np.std(before(image).numpy() @ kernel))
    model.layers[-1].set_weights([kernel * (2 / spread), bias])


MAKERS = {
    "tabular": make_module(Tabular),
    "mobilenet_v2": make_image_network("MobileNetV2"),
    "resnet50": make_image_network("ResNet50"),
    "bert_base": make_module(Encoder),
}


def main() -> int:
    """Make the models that are not there, or that another state of this file made."""
    parent, names = Path(sys.argv[1]), sys.argv[2:]
    parent.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(Path(__file__).read_bytes() + tf.__version__.encode()).hexdigest()
    for name in names:
        stamp = parent / f".{name}.stamp"
        if stamp.is_file() and stamp.read_text() == key and (parent / name / "1").is_dir():
            continue
        print(f"making {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=".partial.", dir=parent) as aside:
            made = Path(aside) / name
            MAKERS[name](made / "1")
            shutil.rmtree(parent / name, ignore_errors=True)
            made.rename(parent / name)
        stamp.write_text(key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
