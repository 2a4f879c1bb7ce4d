"""Small GGUF files: sound for whoever reads their headers, and of no use to an engine."""

import struct


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


def tiny(file_type=0, rows=2, name="Tiny", tokenizer="gpt2", tokens=None, more=()):
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
        text("tokenizer.ggml.model") + struct.pack("<I", 8) + text(tokenizer),
        words("tokenizer.ggml.tokens", tokens or [f"t{row}" for row in range(rows)]),
        *more,
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys)
    head += text("token_embd.weight") + struct.pack("<IQQIQ", 2, 32, rows, 0, 0)
    head += b"\0" * (-len(head) % 32)
    return head + bytes(value % 251 for value in range(32 * rows * 4))
