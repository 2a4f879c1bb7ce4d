"""ONNX models, written byte by byte: the packages that write them are large and need no test."""

import struct

FLOAT = 1


def field(number, content):
    """A field of a message: an integer, or bytes with their length before them."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def node(operation, inputs, output):
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operation)


def constant(name, value, external=None):
    tensor = field(1, 1) + field(2, FLOAT) + field(8, name)
    if external is None:
        return tensor + field(4, struct.pack("<f", value))
    for key, text in external.items():
        tensor += field(13, field(1, key) + field(2, text))
    return tensor + field(14, 1)


def value(name):
    """A tensor of floats: a batch of any size."""
    shape = field(1, field(2, "batch"))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def half_plus_two(external=None):
    """y = x / 2 + 2; `external` says where the 2 is, if it is in another file."""
    graph = (
        field(1, node("Mul", ["x", "half"], "halved"))
        + field(1, node("Add", ["halved", "two"], "y"))
        + field(2, "half_plus_two")
        + field(5, constant("half", 0.5))
        + field(5, constant("two", 2.0, external))
        + field(11, value("x"))
        + field(12, value("y"))
    )
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))


def mean_of_sums(count, location):
    """y = the mean of x + w, where the `count` numbers of w are in another file."""
    weights = field(1, count) + field(2, FLOAT) + field(8, "w")
    weights += field(13, field(1, "location") + field(2, location)) + field(14, 1)
    graph = (
        field(1, node("Add", ["x", "w"], "sums"))
        + field(1, node("ReduceMean", ["sums"], "y"))
        + field(2, "mean_of_sums")
        + field(5, weights)
        + field(11, value("x"))
        + field(12, value("y"))
    )
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))


def model_folder(parent, content, name="half"):
    """A model of one version."""
    folder = parent / name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(content)
    return folder
