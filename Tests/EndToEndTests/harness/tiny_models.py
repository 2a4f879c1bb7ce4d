"""GGUF models of a few hundred kilobytes: whole, with random weights, so that an engine runs them.

What they say means nothing, but it is the same each time.
"""

import re
import string

import gguf
import numpy

WIDTH = 64
HEADS = 4
INNER = 128
LAYERS = 2
CONTEXT = 128
BUCKETS = 32

# How vectors of tokens become one of a text, as files number it.
MEAN, FIRST, RANK = 1, 2, 4

# SmolLM2-135M, as its own header says.
SMOLLM2_WIDTH = 576
SMOLLM2_LAYERS = 30

_WORDS = re.findall(
    r"\w+",
    "the a of to and in is it you that he was for on are with as his they be at one have this "
    "from or had by hot word but what some we can out other were all there when up use your how "
    "said an each she which do their time if will way about many then them write would like so "
    "these her long make thing see him two has look more day could go come did number sound no "
    "most people my over know water than call first who may down side been now find new work part "
    "capital france paris rome italy cat dog sat mat",
)

_NORMAL, _UNKNOWN, _CONTROL = (
    gguf.TokenType.NORMAL,
    gguf.TokenType.UNKNOWN,
    gguf.TokenType.CONTROL,
)


class _Tensors:
    """Adds random tensors to a file; of two files, those of one seed are the same."""

    def __init__(self, writer, seed):
        self.writer = writer
        self.random = numpy.random.default_rng(seed)

    def matrix(self, name, inputs, outputs, scale=0.3):
        """Takes vectors of `inputs` numbers to vectors of `outputs`."""
        values = self.random.normal(0, scale, (outputs, inputs)).astype(numpy.float32)
        self.writer.add_tensor(name, values)

    def vector(self, name, size, mean=0.0):
        values = self.random.normal(mean, 0.05, size).astype(numpy.float32)
        self.writer.add_tensor(name, values)

    def linear(self, name, inputs, outputs):
        self.matrix(f"{name}.weight", inputs, outputs)
        self.vector(f"{name}.bias", outputs)

    def norm(self, name, bias=True):
        self.vector(f"{name}.weight", WIDTH, mean=1)
        if bias:
            self.vector(f"{name}.bias", WIDTH)


def _writer(path, architecture):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(path.stem)
    return writer


def _close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _sizes(writer):
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)


def _word_pieces(writer):
    """BERT's tokenizer: words, and letters at the beginning of a word and within it."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = string.ascii_lowercase + string.digits + ".,?!:"
    # A word's beginning is marked, and what goes on is not.
    marked = [f"\u2581{word}" for word in dict.fromkeys((*letters, *_WORDS))]
    tokens = [*special, *marked, *letters]
    kinds = [_UNKNOWN if token == "[UNK]" else _CONTROL for token in special]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds + [_NORMAL] * (len(tokens) - len(special)))
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)
    return len(tokens)


def bert(path, pooling=None, causal=False, seed=1, templates=None, **keys):
    """An encoder; without `pooling` its file does not say how its vectors are pooled, and with
    `causal` of None not even that each token sees what follows it.

    `templates` are named chat templates, and `keys` further numbers of the architecture."""
    writer = _writer(path, "bert")
    _sizes(writer)
    writer.add_layer_norm_eps(1e-12)
    if causal is not None:
        writer.add_causal_attention(causal)
    if pooling is not None:
        keys = {"pooling_type": int(pooling), **keys}
    for name, template in (templates or {}).items():
        if template is not None:
            writer.add_string(f"tokenizer.chat_template.{name}", template)
    for key, value in keys.items():
        writer.add_uint32(f"bert.{key}", value)
    count = _word_pieces(writer)
    tensors = _Tensors(writer, seed)
    tensors.matrix("token_embd.weight", WIDTH, count)
    tensors.matrix("token_types.weight", WIDTH, 2)
    tensors.matrix("position_embd.weight", WIDTH, CONTEXT)
    tensors.norm("token_embd_norm")
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors.linear(f"blk.{layer}.{part}", WIDTH, WIDTH)
        tensors.norm(f"blk.{layer}.attn_output_norm")
        tensors.linear(f"blk.{layer}.ffn_up", WIDTH, INNER)
        tensors.linear(f"blk.{layer}.ffn_down", INNER, WIDTH)
        tensors.norm(f"blk.{layer}.layer_output_norm")
    if pooling == RANK:
        tensors.linear("cls", WIDTH, WIDTH)
        tensors.linear("cls.output", WIDTH, 1)
    _close(writer)


def llama(path, template=None, seed=4):
    """A model that generates; its chat template is as given."""
    writer = _writer(path, "llama")
    _sizes(writer)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    if template is not None:
        writer.add_chat_template(template)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([_UNKNOWN, _CONTROL, _CONTROL] + [gguf.TokenType.BYTE] * 256)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    tensors = _Tensors(writer, seed)
    tensors.matrix("token_embd.weight", WIDTH, len(tokens))
    tensors.norm("output_norm", bias=False)
    for layer in range(LAYERS):
        tensors.norm(f"blk.{layer}.attn_norm", bias=False)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors.matrix(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
        tensors.norm(f"blk.{layer}.ffn_norm", bias=False)
        tensors.matrix(f"blk.{layer}.ffn_gate.weight", WIDTH, INNER)
        tensors.matrix(f"blk.{layer}.ffn_up.weight", WIDTH, INNER)
        tensors.matrix(f"blk.{layer}.ffn_down.weight", INNER, WIDTH)
    _close(writer)


def t5(path, decodes, seed=2):
    """T5, or its encoder alone."""
    writer = _writer(path, "t5" if decodes else "t5encoder")
    _sizes(writer)
    writer.add_key_length(WIDTH // HEADS)
    writer.add_value_length(WIDTH // HEADS)
    writer.add_layer_norm_eps(1e-6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_relative_attn_buckets_count(BUCKETS)
    if decodes:
        writer.add_decoder_start_token_id(0)
    count = _unigrams(writer)
    tensors = _Tensors(writer, seed)
    tensors.matrix("token_embd.weight", WIDTH, count)
    for half in ("enc", "dec") if decodes else ("enc",):
        for layer in range(LAYERS):
            _t5_layer(tensors, f"{half}.blk.{layer}", crosses=half == "dec", has_places=layer == 0)
        tensors.norm(f"{half}.output_norm", bias=False)
    _close(writer)


def _t5_layer(tensors, name, crosses, has_places):
    for attention in ("attn", "cross_attn") if crosses else ("attn",):
        tensors.norm(f"{name}.{attention}_norm", bias=False)
        for part in ("q", "k", "v", "o"):
            tensors.matrix(f"{name}.{attention}_{part}.weight", WIDTH, WIDTH, scale=0.1)
    if has_places:
        tensors.matrix(f"{name}.attn_rel_b.weight", HEADS, BUCKETS)
    tensors.norm(f"{name}.ffn_norm", bias=False)
    tensors.matrix(f"{name}.ffn_up.weight", WIDTH, INNER, scale=0.1)
    tensors.matrix(f"{name}.ffn_down.weight", INNER, WIDTH, scale=0.1)


def _unigrams(writer):
    """T5's tokenizer: pieces of text with how likely each is."""
    special = ["<pad>", "</s>", "<unk>"]
    letters = string.ascii_letters + string.digits + ".,?!:"
    pieces = ["\u2581", *letters, *(f"\u2581{word}" for word in _WORDS)]
    tokens = [*special, *pieces]
    writer.add_tokenizer_model("t5")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(special) + [-float(10 - len(piece)) for piece in pieces])
    writer.add_token_types([_CONTROL, _CONTROL, _UNKNOWN] + [_NORMAL] * len(pieces))
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(True)
    return len(tokens)


def adapter(
    path,
    architecture="llama",
    width=SMOLLM2_WIDTH,
    layers=SMOLLM2_LAYERS,
    strength=0.05,
    seed=3,
    **changes,
):
    """A LoRA adapter of rank 4 of a model's queries; SmolLM2-135M's unless told otherwise.

    `changes` spoil it: `kind`, `method`, `alpha` (writes that key), `place`, `numbers` (their
    type), `ranks` (of both halves), `halves`.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(changes.get("kind", gguf.GGUFType.ADAPTER))
    writer.add_string("adapter.type", changes.get("method", "lora"))
    changes.get("alpha", lambda writer, key: writer.add_float32(key, 4.0))(
        writer, "adapter.lora.alpha"
    )
    ranks = changes.get("ranks", (4, 4))
    random = numpy.random.default_rng(seed)
    for layer in range(layers):
        halves = {
            "lora_a": random.normal(0, 0.2, (ranks[0], width)),
            "lora_b": random.normal(0, strength, (width, ranks[1])),
        }
        for half in changes.get("halves", halves):
            name = f"blk.{layer}.{changes.get('place', 'attn_q')}.weight.{half}"
            writer.add_tensor(name, halves[half].astype(changes.get("numbers", numpy.float32)))
    _close(writer)
