"""Fixture models, and model folders that tests put together, change and break."""

import os
import random
import shutil

from harness.paths import FIXTURES, REPOSITORY

# Everything but `big`, which costs a shared node memory for nothing, and the second version of
# `half_plus_two`, which tests add themselves.
SHARED = (
    "half_plus_two",
    "multi_input",
    "multi_signature",
    "strings",
    "dynamic_batch",
    "dtypes",
    "with_asset",
    "matrix",
    "legacy_scalar",
    "legacy_examples",
    "birds",
    "outputs",
)

HALF_PLUS_TWO = FIXTURES / "half_plus_two" / "1"
HALF_PLUS_THREE = FIXTURES / "half_plus_two_v2" / "2"
BIG = FIXTURES / "big" / "1"

# A real model, trained by others.
DEMO = REPOSITORY / ".models" / "basic-pitch"


def fixture(name):
    return FIXTURES / name


def add_version(model, version, source):
    """Puts a whole version into a model's folder at once, as careful publishers do: a rename."""
    model.mkdir(parents=True, exist_ok=True)
    staging = model.parent / f".staging-{model.name}-{version}"
    shutil.copytree(source, staging)
    os.rename(staging, model / str(version))
    return model / str(version)


def model_folder(parent, name="half_plus_two", source=HALF_PLUS_TWO):
    """A model of one version in a folder that the test may change."""
    model = parent / name
    add_version(model, 1, source)
    return model


def truncated_graph(version):
    graph = version / "saved_model.pb"
    content = graph.read_bytes()
    graph.write_bytes(content[: len(content) // 2])


def empty_graph(version):
    (version / "saved_model.pb").write_bytes(b"")


def missing_graph(version):
    (version / "saved_model.pb").unlink()


def random_graph(version):
    (version / "saved_model.pb").write_bytes(random.Random(1).randbytes(4096))


def missing_variables(version):
    shutil.rmtree(version / "variables")


def truncated_variables(version):
    data = version / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1])


CORRUPTIONS = (
    truncated_graph,
    empty_graph,
    missing_graph,
    random_graph,
    missing_variables,
    truncated_variables,
)
