"""Small GGUF files: sound for whoever reads their headers, and of no use to an engine."""

import struct

# Bytes of a number by GGUF's type of value; 8 is text, 9 a list.
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def number(key, value):
    return text(key) + struct.pack("<II", 4, value)


def words(key, values):
    return (
        text(key)
        + struct.pack("<IIQ", 9, 8, len(values))
        + b"".join(text(value) for value in values)
    )


def tiny(file_type=0, rows=2, name="Tiny"):
    """A model of one layer with `rows` tokens of 32 numbers, in 32 bits."""
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.name") + struct.pack("<I", 8) + text(name),
        number("general.file_type", file_type),
        number("llama.context_length", 64),
        number("llama.embedding_length", 32),
        number("llama.block_count", 1),
        number("llama.attention.head_count", 4),
        number("llama.attention.head_count_kv", 4),
        text("tokenizer.ggml.model") + struct.pack("<I", 8) + text("gpt2"),
        words("tokenizer.ggml.tokens", [f"t{row}" for row in range(rows)]),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys)
    head += text("token_embd.weight") + struct.pack("<IQQIQ", 2, 32, rows, 0, 0)
    head += b"\0" * (-len(head) % 32)
    return head + bytes(value % 251 for value in range(32 * rows * 4))


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, form):
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def text(self):
        size = self.take("Q")
        self.at += size
        return self.data[self.at - size : self.at]

    def skip(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            inner, count = self.take("I"), self.take("Q")
            for _ in range(count):
                self.skip(inner)
        else:
            self.at += WIDTHS[kind]


def with_text(data, key, value):
    """The same file with another text under a key that it has."""
    reader = _Reader(data)
    reader.at = 8
    tensors, keys = reader.take("Q"), reader.take("Q")
    place = None
    for _ in range(keys):
        name, kind = reader.text(), reader.take("I")
        start = reader.at
        reader.skip(kind)
        if name == key.encode():
            assert kind == 8, f"{key} is no text"
            place = start, reader.at
    assert place, f"the file has no {key}"
    for _ in range(tensors):
        reader.text()
        for _ in range(reader.take("I")):
            reader.take("Q")
        reader.take("I"), reader.take("Q")
    end = reader.at
    head = data[: place[0]] + text(value) + data[place[1] : end]
    tail = data[end + -end % ALIGNMENT :]
    return head + b"\0" * (-len(head) % ALIGNMENT) + tail
