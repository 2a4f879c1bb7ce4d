"""Small GGUF files: sound for whoever reads their headers, and of no use to an engine."""

import math
import struct

# Bytes of a number by GGUF's type of value; 8 is text, 9 a list.
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def number(key, value):
    return text(key) + struct.pack("<II", 4, value)


def fraction(key, value):
    return text(key) + struct.pack("<If", 6, value)


def words(key, values):
    return (
        text(key)
        + struct.pack("<IIQ", 9, 8, len(values))
        + b"".join(text(value) for value in values)
    )


def keys_of(file_type, name, tokenizer, tokens, more):
    """The keys of a small model of one layer."""
    return [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.name") + struct.pack("<I", 8) + text(name),
        number("general.file_type", file_type),
        number("llama.context_length", 64),
        number("llama.embedding_length", 32),
        number("llama.block_count", 1),
        number("llama.attention.head_count", 4),
        number("llama.attention.head_count_kv", 4),
        text("tokenizer.ggml.model") + struct.pack("<I", 8) + text(tokenizer),
        words("tokenizer.ggml.tokens", tokens),
        *more,
    ]


def file(keys, tensors):
    """A file of these keys and tensors, each a name and its sizes, in 32 bits."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys)
    place = 0
    for name, sizes in tensors:
        head += text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, 0, place)
        place += -(-4 * math.prod(sizes) // 32) * 32
    head += b"\0" * (-len(head) % 32)
    return head + bytes(value % 251 for value in range(place))


def tiny(file_type=0, rows=2, name="Tiny", tokens=None):
    """A model without layers, of `rows` tokens of 32 numbers."""
    tokens = tokens or [f"t{row}" for row in range(rows)]
    keys = keys_of(file_type, name, "gpt2", tokens, [])
    return file(keys, [("token_embd.weight", (32, rows))])


def layered(key_length=8, value_length=8):
    """A model with all that an engine reads of one, heads of these lengths among it."""
    more = [
        fraction("llama.attention.layer_norm_rms_epsilon", 1e-5),
        number("llama.attention.key_length", key_length),
        number("llama.attention.value_length", value_length),
        number("llama.rope.dimension_count", key_length),
        number("llama.feed_forward_length", 32),
    ]
    keys = keys_of(0, "Layered", "llama", ["<unk>", "<s>", "</s>", "a"], more)
    tensors = {
        "attn_norm": (32,),
        "attn_q": (32, 4 * key_length),
        "attn_k": (32, 4 * key_length),
        "attn_v": (32, 4 * value_length),
        "attn_output": (4 * key_length, 32),
        "ffn_norm": (32,),
        "ffn_gate": (32, 32),
        "ffn_down": (32, 32),
        "ffn_up": (32, 32),
    }
    return file(
        keys,
        [
            ("token_embd.weight", (32, 4)),
            ("output_norm.weight", (32,)),
            *((f"blk.0.{name}.weight", sizes) for name, sizes in tensors.items()),
        ],
    )


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
    return _joined(data, data[: place[0]] + text(value) + data[place[1] : reader.at], reader.at)


def and_text(data, key, value):
    """The same file with a text under one more key."""
    reader = _Reader(data)
    reader.at = 8
    tensors, keys = reader.take("Q"), reader.take("Q")
    for _ in range(keys):
        assert reader.text() != key.encode(), f"the file has {key}: with_text changes it"
        reader.skip(reader.take("I"))
    place = reader.at
    for _ in range(tensors):
        reader.text()
        for _ in range(reader.take("I")):
            reader.take("Q")
        reader.take("I"), reader.take("Q")
    head = data[:8] + struct.pack("<QQ", tensors, keys + 1) + data[24:place]
    head += text(key) + struct.pack("<I", 8) + text(value) + data[place : reader.at]
    return _joined(data, head, reader.at)


def _joined(data, head, end):
    """Another head before what follows the one that ends there."""
    return head + b"\0" * (-len(head) % ALIGNMENT) + data[end + -end % ALIGNMENT :]
