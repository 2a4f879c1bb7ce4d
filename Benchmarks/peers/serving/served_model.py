"""The model as every peer runs it: TensorFlow's own Python, one signature, one output."""

import os
from types import ModuleType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

NAME = os.environ["PEER_NAME"]
INPUT = os.environ["PEER_INPUT"]
OUTPUT = os.environ["PEER_OUTPUT"]
# Rows of one request, and requests of one batch.
ROWS = int(os.environ["PEER_ROWS"])
BATCH = int(os.environ["PEER_BATCH"])
WORKERS = int(os.environ.get("PEER_WORKERS", "1"))
PORT = int(os.environ.get("PEER_PORT", "0"))
GRPC_PORT = int(os.environ.get("PEER_GRPC_PORT", "0"))
# How long a request may wait for others to come into its batch.
WAIT_SECONDS = 0.001


class ServedModel:
    """A SavedModel's default signature."""

    def __init__(self) -> None:
        # Imported late: the process that only passes requests on does without.
        import tensorflow as tf

        path = os.environ["PEER_MODEL"]
        try:
            run = Signature(tf, path)
        except AttributeError:
            # TensorFlow 2.21 no longer reads the optimizers that Keras 2 saved with a model.
            run = Session(tf, path)
        self.run = run
        self.dtype = run.input.dtype.as_numpy_dtype
        self.shape = tuple(run.input.shape[1:])
        self.answer_shape = tuple(run.output.shape[1:])
        self(np.zeros([ROWS, *self.shape], self.dtype))

    def __call__(self, values: object) -> np.ndarray:
        """The output for the rows of one request or more."""
        return self.run(np.asarray(values, self.dtype))

    def batch(self, requests: list) -> list[np.ndarray]:
        """The outputs for requests, run at once."""
        arrays = [np.asarray(each, self.dtype) for each in requests]
        answer = self(np.concatenate(arrays))
        ends = np.cumsum([len(array) for array in arrays])[:-1]
        return np.split(answer, ends)


class Signature:
    """Run as TensorFlow 2 does."""

    def __init__(self, tf: ModuleType, path: str) -> None:
        self.constant = tf.constant
        self.loaded = tf.saved_model.load(path)
        self.function = self.loaded.signatures["serving_default"]
        self.input = self.function.structured_input_signature[1][INPUT]
        self.output = self.function.structured_outputs[OUTPUT]

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """The output for an input."""
        return self.function(**{INPUT: self.constant(array)})[OUTPUT].numpy()


class Session:
    """Run as TensorFlow 1 did, which reads the graph alone."""

    def __init__(self, tf: ModuleType, path: str) -> None:
        v1 = tf.compat.v1
        threads = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        session = v1.Session(graph=tf.Graph(), config=threads)
        with session.graph.as_default():
            described = v1.saved_model.loader.load(session, ["serve"], path)
        signature = described.signature_def["serving_default"]
        names = signature.inputs[INPUT].name, signature.outputs[OUTPUT].name
        self.input, self.output = map(session.graph.get_tensor_by_name, names)
        self.run = session.make_callable(self.output, [self.input])

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """The output for an input."""
        return self.run(array)
