"""Small GGUF files: sound for whoever reads their headers, and of no use to an engine."""

import math
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
