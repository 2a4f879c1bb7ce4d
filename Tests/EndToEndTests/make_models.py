"""Writes the SavedModels and TFLite models that the tests serve.

    .venv-models/bin/python Tests/EndToEndTests/make_models.py .models/fixtures

Every folder written is OUTDIR/<model>/<version>/, so OUTDIR itself is a model root. The models
compute exact, hand-checkable numbers; nothing in them is random except `big`, whose generator is
seeded.
"""

import argparse
import os
import pathlib
import shutil
import tempfile

# Set before TensorFlow is imported, which reads them once: no messages about absent GPUs, and the
# same results whatever the processor.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import flatbuffers
import numpy as np
import tensorflow as tf
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as tflite_schema

tf.get_logger().setLevel("ERROR")

IDENTITY_DTYPES = (
    tf.float32,
    tf.float64,
    tf.int8,
    tf.int16,
    tf.int32,
    tf.int64,
    tf.uint8,
    tf.uint16,
    tf.uint32,
    tf.uint64,
    tf.bool,
    tf.string,
    tf.float16,
    tf.bfloat16,
    tf.complex64,
    tf.complex128,
)

# The names clients see in messages ("float", not "float32"), as the protobuf enumeration has them.
DTYPE_NAMES = {
    tf.float32: "float",
    tf.float64: "double",
    tf.float16: "half",
}


def spec(name, dtype, *dimensions):
    """A named input of a signature; -1 is a dimension of any size."""
    return tf.TensorSpec([None if d == -1 else d for d in dimensions], dtype, name=name)


class HalfPlusTwo(tf.Module):
    """y = x / 2 + offset, with variables, so that a copy without them cannot load."""

    def __init__(self, offset=2.0):
        super().__init__()
        self.slope = tf.Variable(0.5, name="slope")
        self.offset = tf.Variable(offset, name="offset")

    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def serve(self, x):
        return {"y": x * self.slope + self.offset}

    def signatures(self):
        return {"serving_default": self.serve}


class MultiInput(tf.Module):
    @tf.function(input_signature=[spec("a", tf.float32, -1, 2), spec("b", tf.float32, -1, 2)])
    def serve(self, a, b):
        return {"sum": a + b, "product": a * b}

    def signatures(self):
        return {"serving_default": self.serve}


class MultiSignature(tf.Module):
    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def square(self, x):
        return {"y": x * x}

    @tf.function(input_signature=[spec("values", tf.float32, -1), spec("factor", tf.float32, -1)])
    def scale(self, values, factor):
        return {"scaled": values * factor}

    @tf.function(input_signature=[spec("points", tf.int64, -1, 2)])
    def shift(self, points):
        return {"shifted": points + tf.constant([10, 20], tf.int64)}

    @tf.function(input_signature=[spec("values", tf.float32, -1)])
    def total(self, values):
        return {"total": tf.reduce_sum(values)}

    def signatures(self):
        return {
            "serving_default": self.square,
            "scale": self.scale,
            "shift": self.shift,
            "total": self.total,
        }


class Strings(tf.Module):
    @tf.function(input_signature=[spec("text", tf.string, -1)])
    def serve(self, text):
        return {
            "upper": tf.strings.upper(text, encoding="utf-8"),
            "length": tf.strings.length(text),
            "raw_bytes": tf.identity(text),
        }

    @tf.function(input_signature=[spec("text", tf.string, -1)])
    def echo(self, text):
        return {"raw_bytes": tf.identity(text)}

    def signatures(self):
        return {"serving_default": self.serve, "echo": self.echo}


class DynamicBatch(tf.Module):
    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]], name="weights"
        )
        self.bias = tf.Variable([0.5, 0.0, -0.5], name="bias")

    @tf.function(input_signature=[spec("x", tf.float32, -1, 4)])
    def serve(self, x):
        return {"y": tf.matmul(x, self.weights) + self.bias}

    def signatures(self):
        return {"serving_default": self.serve}


class Dtypes(tf.Module):
    def __init__(self, dtypes=IDENTITY_DTYPES):
        super().__init__()
        self.dtypes = dtypes

    def signatures(self):
        return {f"identity_{name_of(dtype)}": self.identity(dtype) for dtype in self.dtypes}

    def identity(self, dtype):
        @tf.function(input_signature=[spec("x", dtype, -1)])
        def identity(x):
            return {"y": tf.identity(x)}

        return identity


class WithAsset(tf.Module):
    """The place of a bird in a list that is a file beside the graph; -1 if it is not there."""

    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary = tf.saved_model.Asset(vocabulary)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.vocabulary,
                key_dtype=tf.string,
                key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
                value_dtype=tf.int64,
                value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            default_value=-1,
        )

    @tf.function(input_signature=[spec("word", tf.string, -1)])
    def serve(self, word):
        return {"index": self.table.lookup(word)}

    def signatures(self):
        return {"serving_default": self.serve}


class Matrix(tf.Module):
    """Multiplies a permutation matrix `steps` times: the caller chooses how long it runs, and the
    checksum is exactly 1 however often."""

    SIDE = 128

    def __init__(self):
        super().__init__()
        self.permutation = tf.Variable(np.roll(np.eye(self.SIDE, dtype=np.float32), 1, axis=0))

    @tf.function(input_signature=[spec("steps", tf.int32)])
    def serve(self, steps):
        permutation = tf.identity(self.permutation)
        done, product = tf.while_loop(
            lambda step, _: step < steps,
            lambda step, product: (step + 1, tf.matmul(product, permutation)),
            (tf.constant(0), permutation),
            parallel_iterations=1,
        )
        return {"done": done, "checksum": tf.reduce_sum(product) / self.SIDE}

    def signatures(self):
        return {"serving_default": self.serve}


class Slow(Matrix):
    """The same for a row a request, so that batches of it can be slow: as long as the row of most
    steps."""

    @tf.function(input_signature=[spec("steps", tf.int32, -1)])
    def serve(self, steps):
        permutation = tf.identity(self.permutation)
        _, product = tf.while_loop(
            lambda step, _: step < tf.reduce_max(steps),
            lambda step, product: (step + 1, tf.matmul(product, permutation)),
            (tf.constant(0), permutation),
            parallel_iterations=1,
        )
        ones = tf.ones_like(steps, tf.float32)
        return {"done": steps, "checksum": ones * tf.reduce_sum(product) / self.SIDE}


class Big(tf.Module):
    """64 MiB of floats, so that the memory of an unloaded version can be seen to come back."""

    def __init__(self):
        super().__init__()
        table = np.random.default_rng(20).random((4096, 4096), dtype=np.float32)
        self.table = tf.Variable(table, name="table")

    @tf.function(input_signature=[spec("row", tf.int32, -1)])
    def serve(self, row):
        return {"y": tf.reduce_max(tf.gather(self.table, row), axis=1)}

    def signatures(self):
        return {"serving_default": self.serve}


class LiteStrings(tf.Module):
    """What TFLite can do with strings."""

    @tf.function(input_signature=[spec("text", tf.string, -1), spec("places", tf.int32, -1)])
    def pick(self, text, places):
        return {"picked": tf.gather(text, places), "raw_bytes": tf.identity(text)}

    @tf.function(input_signature=[spec("text", tf.string, -1)])
    def echo(self, text):
        return {"raw_bytes": tf.identity(text)}

    def signatures(self):
        return {"serving_default": self.pick, "echo": self.echo}


class LiteExamples(tf.Module):
    """y = x / 2 + 2 of the examples' x, and features of every kind."""

    @tf.function(input_signature=[spec("inputs", tf.string, -1)])
    def regress(self, inputs):
        features = {"x": tf.io.FixedLenFeature([], tf.float32, default_value=0.0)}
        return {"outputs": tf.io.parse_example(inputs, features)["x"] / 2.0 + 2.0}

    @tf.function(input_signature=[spec("inputs", tf.string, -1)])
    def classify(self, inputs):
        features = {
            "x": tf.io.FixedLenFeature([2], tf.float32, default_value=[1.0, 3.0]),
            "name": tf.io.FixedLenFeature([2], tf.string, default_value=["first", "second"]),
        }
        parsed = tf.io.parse_example(inputs, features)
        return {"scores": parsed["x"] * 2.0, "classes": parsed["name"]}

    @tf.function(input_signature=[spec("examples", tf.string, -1), spec("scale", tf.float32, -1)])
    def kinds(self, examples, scale):
        features = {
            "id": tf.io.FixedLenFeature([], tf.int64),
            "name": tf.io.FixedLenFeature([], tf.string, default_value="missing"),
            "pair": tf.io.FixedLenFeature([2], tf.int64, default_value=[7, 8]),
            "list": tf.io.FixedLenSequenceFeature(
                [], tf.float32, allow_missing=True, default_value=-1.0
            ),
            "sparse": tf.io.VarLenFeature(tf.float32),
            "words": tf.io.VarLenFeature(tf.string),
        }
        parsed = tf.io.parse_example(examples, features)
        return {
            "id": parsed["id"],
            "next": parsed["id"] + tf.constant(1, tf.int64),
            "name": parsed["name"],
            "pair_sum": tf.reduce_sum(parsed["pair"], axis=1),
            "list": parsed["list"],
            "list_total": tf.reduce_sum(parsed["list"], axis=1) * scale,
            "sparse_places": parsed["sparse"].indices,
            "sparse_values": parsed["sparse"].values,
            "sparse_shape": parsed["sparse"].dense_shape,
            "words": parsed["words"].values,
        }

    def signatures(self):
        return {"serving_default": self.regress, "classify": self.classify, "kinds": self.kinds}


class LiteEdges(tf.Module):
    """Outputs that are not computed, or not only once."""

    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def shared(self, x):
        doubled = x * 2.0
        return {"first": doubled, "second": tf.identity(doubled), "x": tf.identity(x)}

    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def constant(self, x):
        return {
            "doubled": x * 2.0,
            "numbers": tf.constant([7.0, 8.0, 9.0]),
            "words": tf.constant(["a", "", "martlet"]),
        }

    @tf.function(input_signature=[spec("x", tf.float32, -1, 2)])
    def reshape(self, x):
        return {"y": tf.reshape(x, [tf.shape(x)[0] * 2]) + 1.0}

    def signatures(self):
        return {"shared": self.shared, "constant": self.constant, "reshape": self.reshape}


class LiteUndecided(tf.Module):
    """Outputs whose shapes only the values of the inputs decide."""

    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def places(self, x):
        return {"places": tf.where(x > 1.0)}

    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def above(self, x):
        return {"y": tf.boolean_mask(x, x > 1.0) * 2.0 + 1.0}

    @tf.function(input_signature=[spec("n", tf.float32)])
    def count(self, n):
        return {"numbers": tf.range(n) * 2.0 + 1.0}

    def signatures(self):
        return {"places": self.places, "above": self.above, "count": self.count}


class Birds(tf.Module):
    """Knows birds from `tf.Example`: how far they are from being a swift, and how heavy.

    Signatures that do not fit their method are there to be refused.
    """

    @staticmethod
    def parse(inputs):
        features = {
            "wings": tf.io.FixedLenFeature([], tf.float32, default_value=0.0),
            "name": tf.io.FixedLenFeature([], tf.string, default_value=""),
            "eggs": tf.io.VarLenFeature(tf.int64),
        }
        parsed = tf.io.parse_example(inputs, features)
        eggs = tf.cast(tf.sparse.reduce_sum(parsed["eggs"], axis=1), tf.float32)
        return parsed["wings"], parsed["name"], tf.ensure_shape(eggs, [None])

    @classmethod
    def classes(cls, inputs):
        wings, name, eggs = cls.parse(inputs)
        labels = tf.stack([name, tf.fill(tf.shape(name), "not a bird")], axis=1)
        return labels, tf.stack([wings, eggs], axis=1)

    @classmethod
    def weight(cls, inputs):
        wings, _, eggs = cls.parse(inputs)
        return wings * 2.0 + eggs

    @staticmethod
    def of_examples(function, name="inputs"):
        return tf.function(function, input_signature=[spec(name, tf.string, -1)])

    def classify(self, inputs):
        classes, scores = self.classes(inputs)
        return {"classes": classes, "scores": scores}

    def classes_only(self, inputs):
        return {"classes": self.classes(inputs)[0]}

    def scores_only(self, inputs):
        return {"scores": self.classes(inputs)[1]}

    def regress(self, inputs):
        return {"outputs": self.weight(inputs)}

    def regress_column(self, inputs):
        return {"outputs": self.weight(inputs)[:, tf.newaxis]}

    def regress_matrix(self, inputs):
        return {"outputs": tf.stack([self.weight(inputs)] * 2, axis=1)}

    def regress_total(self, inputs):
        return {"outputs": tf.reduce_sum(self.weight(inputs), keepdims=True)}

    def misnamed(self, examples):
        return {"outputs": self.weight(examples)}

    def signatures(self):
        functions = [
            self.classes_only,
            self.scores_only,
            self.regress,
            self.regress_column,
            self.regress_matrix,
            self.regress_total,
        ]
        return {
            "serving_default": self.of_examples(self.classify),
            "misnamed": self.of_examples(self.misnamed, "examples"),
        } | {function.__name__: self.of_examples(function) for function in functions}


class Outputs(tf.Module):
    """Outputs of many kinds side by side, from one number a row."""

    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def serve(self, x):
        text = tf.strings.as_string(tf.cast(x, tf.int32))
        return {
            "logarithm": tf.math.log(x),
            "reciprocal": 1.0 / x,
            "pair": tf.stack([x, -x], axis=1),
            "text": text,
            "text_bytes": text,
            "texts_bytes": tf.stack([text, text], axis=1),
            "is_positive": x > 0,
            "whole": tf.cast(x, tf.int64),
        }

    @tf.function(input_signature=[spec("x", tf.float32, -1), spec("text_bytes", tf.string, -1)])
    def mixed(self, x, text_bytes):
        return {"double": x * 2.0, "text_bytes": text_bytes, "rows": tf.shape(x)[0]}

    @tf.function(input_signature=[spec("x", tf.float32, -1)])
    def ragged(self, x):
        return {"all": x, "first": x[:1]}

    def signatures(self):
        return {"serving_default": self.serve, "mixed": self.mixed, "ragged": self.ragged}


def name_of(dtype):
    return DTYPE_NAMES.get(dtype, dtype.name)


def save(module, folder):
    tf.saved_model.save(
        module,
        str(folder),
        signatures={
            name: function.get_concrete_function() for name, function in module.signatures().items()
        },
    )


def save_legacy_scalar(folder):
    """y = slope * x + offset as TensorFlow 1 wrote it: scalar variables, a session, a builder."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        slope = v1.get_variable("slope", initializer=3.0, use_resource=False)
        offset = v1.get_variable("offset", initializer=1.0, use_resource=False)
        y = tf.add(x * slope, offset, name="y")
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.build_signature_def(
            inputs={"x": v1.saved_model.build_tensor_info(x)},
            outputs={"y": v1.saved_model.build_tensor_info(y)},
            method_name=v1.saved_model.signature_constants.PREDICT_METHOD_NAME,
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, [tf.saved_model.SERVING], signature_def_map={"serving_default": signature}
        )
        builder.save()


def convert(module, quantized_with=None, allow_custom_ops=False):
    """The bytes of the same model for TFLite."""
    with tempfile.TemporaryDirectory() as scratch:
        save(module, scratch)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        converter.allow_custom_ops = allow_custom_ops
        if quantized_with is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = quantized_with
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return converter.convert()


def without_signature(content, metadata=None):
    """A TFLite model as converters of 2020 wrote it: no signatures, and shapes all fixed."""
    model = tflite_schema.ModelT.InitFromObj(tflite_schema.Model.GetRootAsModel(content, 0))
    model.signatureDefs = []
    for tensor in model.subgraphs[0].tensors:
        if tensor.shapeSignature is not None and len(tensor.shapeSignature):
            tensor.shapeSignature = []
        tensor.name = tensor.name.decode().split(":")[0]
    if metadata is not None:
        entry, buffer = tflite_schema.MetadataT(), tflite_schema.BufferT()
        entry.name, entry.buffer = "signature_defs_metadata", len(model.buffers)
        buffer.data = np.frombuffer(metadata(model.subgraphs[0]), np.uint8)
        model.metadata.append(entry)
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def serving_signature(graph):
    """A signature of `x` and `y` in the form that stood in a TFLite model's metadata."""
    signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    for name, infos, (place,) in (
        ("x", signature.inputs, graph.inputs),
        ("y", signature.outputs, graph.outputs),
    ):
        infos[name].name = graph.tensors[place].name + ":0"
        infos[name].dtype = tf.float32.as_datatype_enum
        infos[name].tensor_shape.dim.add(size=1)
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("serving_default")
        builder.String(signature.SerializeToString().decode("latin-1"))
    return builder.Finish()


def make_lite_models(out):
    half_plus_two = convert(HalfPlusTwo())
    contents = {
        "half_plus_two_tflite/1": half_plus_two,
        "half_plus_two_v2_tflite/2": convert(HalfPlusTwo(offset=3.0)),
        "half_plus_two_plain_tflite/1": without_signature(half_plus_two),
        "half_plus_two_metadata_tflite/1": without_signature(half_plus_two, serving_signature),
        "multi_input_tflite/1": convert(MultiInput()),
        "multi_signature_tflite/1": convert(MultiSignature()),
        "strings_tflite/1": convert(LiteStrings()),
        "dynamic_batch_tflite/1": convert(DynamicBatch()),
        "quantized_tflite/1": convert(
            DynamicBatch(), lambda: ([np.eye(4, dtype=np.float32) * s] for s in (-1, 0, 1))
        ),
        "dtypes_tflite/1": convert(
            Dtypes([dtype for dtype in IDENTITY_DTYPES if dtype != tf.complex128])
        ),
        "matrix_tflite/1": convert(Matrix()),
        "big_tflite/1": convert(Big()),
        "edges_tflite/1": convert(LiteEdges()),
        "undecided_tflite/1": convert(LiteUndecided()),
        "examples_tflite/1": convert(LiteExamples(), allow_custom_ops=True),
    }
    for path, content in contents.items():
        folder = fresh(out / path)
        folder.mkdir()
        (folder / "model.tflite").write_bytes(content)


def scaled_signature():
    """y = x * factor, where the factor is 3 unless the request says otherwise."""
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None], name="scaled_x")
    factor = v1.placeholder(tf.float32, [], name="scaled_factor")
    info = v1.saved_model.build_tensor_info
    signature = v1.saved_model.build_signature_def(
        inputs={"x": info(x), "factor": info(factor)},
        outputs={"y": info(x * factor)},
        method_name=v1.saved_model.signature_constants.PREDICT_METHOD_NAME,
    )
    signature.defaults["factor"].CopyFrom(tf.make_tensor_proto(3.0))
    return signature


def save_legacy_examples(folder):
    """Classification and regression of one input, with the method names of TensorFlow 1."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="examples")
        others = v1.placeholder(tf.string, [None], name="others")
        constants = v1.saved_model.signature_constants

        def definition(method, given, **outputs):
            info = v1.saved_model.build_tensor_info
            return v1.saved_model.build_signature_def(
                inputs={"inputs": info(given)},
                outputs={name: info(tensor) for name, tensor in outputs.items()},
                method_name=method,
            )

        classes, scores = Birds.classes(examples)
        signatures = {
            "serving_default": definition(
                constants.REGRESS_METHOD_NAME, examples, outputs=Birds.weight(examples)
            ),
            "classify": definition(
                constants.CLASSIFY_METHOD_NAME, examples, classes=classes, scores=scores
            ),
            "classify_scores": definition(constants.CLASSIFY_METHOD_NAME, examples, scores=scores),
            "regress_others": definition(
                constants.REGRESS_METHOD_NAME, others, outputs=Birds.weight(others)
            ),
            "predict": definition(constants.PREDICT_METHOD_NAME, examples, anything=scores),
            "custom": definition("my/own/method", examples, anything=scores),
            "scaled": scaled_signature(),
        }
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, [tf.saved_model.SERVING], signature_def_map=signatures
        )
        builder.save()


def fresh(folder):
    """The builder refuses a folder that exists, and a re-run must leave nothing of the last one."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def make_models(out):
    with tempfile.TemporaryDirectory() as scratch:
        vocabulary = pathlib.Path(scratch, "birds.txt")
        vocabulary.write_text("martlet\nswift\nswallow\n", encoding="utf-8")
        modules = {
            "half_plus_two/1": HalfPlusTwo(),
            # A model of its own; tests copy the folder in as version 2 of `half_plus_two`.
            "half_plus_two_v2/2": HalfPlusTwo(offset=3.0),
            "multi_input/1": MultiInput(),
            "multi_signature/1": MultiSignature(),
            "strings/1": Strings(),
            "dynamic_batch/1": DynamicBatch(),
            "dtypes/1": Dtypes(),
            "with_asset/1": WithAsset(str(vocabulary)),
            "matrix/1": Matrix(),
            "slow/1": Slow(),
            "big/1": Big(),
            "birds/1": Birds(),
            "outputs/1": Outputs(),
        }
        for path, module in modules.items():
            save(module, fresh(out / path))
    save_legacy_scalar(fresh(out / "legacy_scalar/1"))
    make_lite_models(out)
    save_legacy_examples(fresh(out / "legacy_examples/1"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=pathlib.Path)
    make_models(parser.parse_args().outdir)
