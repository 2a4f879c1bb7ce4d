#!/usr/bin/env python3
"""Makes the models of `balancers_real.py`: `half_plus_two` that waits, and one that fails at once.

    .venv-models/bin/python Benchmarks/balancing/models.py FOLDER NAME=SECONDS...

A request waits for as long as a log-normal distribution says, SECONDS on average. It waits and
computes nothing, so many nodes share a core and yet none is held up by another.
"""

import os
import sys
from pathlib import Path

# Read once, when TensorFlow is imported.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import tensorflow as tf

# The standard deviation of the logarithm of the seconds: that of the simulated nodes.
SPREAD = 0.5
SIGNATURE = (tf.TensorSpec([None], tf.float32, "x"),)
FAILING = "failing"


class Waiting(tf.Module):
    """y = x / 2 + 2, after a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    @tf.function(input_signature=SIGNATURE)
    def predict(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Takes its time on the thread that runs it, as a model does."""
        factor = tf.exp(SPREAD * tf.random.normal([]) - SPREAD**2 / 2)
        # It sleeps twice: before the element, and before it is seen that there is no other.
        microseconds = tf.cast(0.5e6 * self.seconds * factor, tf.int64)
        shape = {"output_types": [tf.int64], "output_shapes": [tf.TensorShape([])]}
        slept = tf.raw_ops.SleepDataset(
            input_dataset=tf.data.Dataset.range(1)._variant_tensor,
            sleep_microseconds=microseconds,
            **shape,
        )
        (zero,) = tf.raw_ops.DatasetToSingleElement(dataset=slept, **shape)
        return {"y": x / 2 + 2 + tf.cast(zero, tf.float32)}


class Failing(tf.Module):
    """Loads well, and ends every request at once by DATA_LOSS, which is 500 over REST."""

    @tf.function(input_signature=SIGNATURE)
    def predict(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Takes numbers for what zlib has written, which they never are."""
        wrong = tf.io.decode_compressed(tf.strings.as_string(x), "ZLIB")
        return {"y": x / 2 + 2 + tf.cast(tf.strings.length(wrong), tf.float32)}


def main() -> None:
    """Write them, each as version 1 in a folder of its name."""
    folder = Path(sys.argv[1])
    modules: dict[str, tf.Module] = {FAILING: Failing()}
    for argument in sys.argv[2:]:
        name, _, seconds = argument.partition("=")
        modules[name] = Waiting(float(seconds))
    for name, module in modules.items():
        tf.saved_model.save(module, str(folder / name / "1"), {"serving_default": module.predict})


if __name__ == "__main__":
    main()
