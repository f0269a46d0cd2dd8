"""A small model with random weights that hardly takes room in an archive.

A matrix is put together from segments, each drawn from a pool of 64, and the weights of a segment are multiples of
one step. Products of such matrices are as good a test as any, and a compressor finds the segments again.
"""

import ctypes
import math
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bundled" / "training"))
from bpe import SPECIAL_TOKENS, Merger  # noqa: E402  # the path above must be known first
from gguf import Writer  # noqa: E402

POOL = 64  # segments
VOCABULARY = 288

# Of a tensor type: its number in GGUF, the weights and the bytes of a block.
TYPES = {
    "f32": (0, 1, 4),
    "f16": (1, 1, 2),
    "q4_0": (2, 32, 18),
    "q8_0": (8, 32, 34),
    "q2_k": (10, 256, 84),
    "q3_k": (11, 256, 110),
    "q4_k": (12, 256, 144),
    "q5_k": (13, 256, 176),
    "q6_k": (14, 256, 210),
    "iq2_xxs": (16, 256, 66),
    "iq2_xs": (17, 256, 74),
    "bf16": (30, 1, 2),
    "mxfp4": (39, 32, 17),
}


class Ggml:
    """ggml's own conversions, out of llama.cpp's libggml-base.so."""

    def __init__(self, library):
        self.library = ctypes.CDLL(library)
        self.library.ggml_quantize_chunk.restype = ctypes.c_size_t

    def quantized(self, weights, kind):
        """The bytes of a matrix stored as one of TYPES."""
        weights = np.ascontiguousarray(weights, np.float32)
        if kind == "f32":
            return weights.tobytes()
        number, block_weights, block_bytes = TYPES[kind]
        columns = weights.shape[-1]
        rows = weights.size // columns
        if columns % block_weights:
            raise ValueError(f"rows of {columns} weights cannot be cut into the blocks of {block_weights} of {kind}")
        out = np.zeros(weights.size // block_weights * block_bytes, np.uint8)
        importance = np.ones(columns, np.float32)  # some types are not made without
        self.library.ggml_quantize_init(number)
        written = self.library.ggml_quantize_chunk(
            ctypes.c_int(number), ctypes.c_void_p(weights.ctypes.data), ctypes.c_void_p(out.ctypes.data),
            ctypes.c_int64(0), ctypes.c_int64(rows), ctypes.c_int64(columns),
            ctypes.c_void_p(importance.ctypes.data))  # fmt: skip
        if written != out.size:
            raise ValueError(f"{kind}: ggml wrote {written} bytes instead of {out.size}")
        return out.tobytes()

    def dequantized(self, data, kind, count):
        """The `count` values that ggml makes of the bytes of blocks."""
        # All are C functions, named after the type; the letter of the K types is a capital.
        name = kind.replace("_k", "_K") if kind.endswith("_k") else kind
        values = np.empty(count, np.float32)
        function = getattr(self.library, f"dequantize_row_{name}")
        function(ctypes.c_char_p(data), ctypes.c_void_p(values.ctypes.data), ctypes.c_int64(count))
        return values.tobytes()


class Dice:
    """Random numbers that are the same with every version of numpy, which is promised of the raw ones alone."""

    def __init__(self, seed):
        self.source = np.random.PCG64(seed)

    def below(self, limit, count):
        """`count` integers from 0 to limit - 1."""
        return (self.source.random_raw(count) >> np.uint64(16)) % np.uint64(limit)

    def between(self, least, most, count):
        """`count` numbers from `least` to `most`."""
        return least + (most - least) * self.below(1 << 16, count).astype(np.float64) / (1 << 16)


def short(value):
    """The value with its mantissa cut to three bits, so that multiples of it are short as well."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 8), exponent - 3)


def vocabulary(size, texts):
    """Tokens, their types and merges of a byte-level tokenizer trained on whole texts: its tokens reach over spaces,
    digits and signs, and so show where a pre-tokenizer cuts."""
    merger = Merger(dict.fromkeys(texts, 2))
    while len(merger.vocabulary) < size - len(SPECIAL_TOKENS) and merger.merge_most_frequent():
        pass
    tokens = merger.vocabulary + SPECIAL_TOKENS
    return tokens, [1] * len(merger.vocabulary) + [3] * len(SPECIAL_TOKENS), merger.merges


def add_vocabulary(writer, pre, size, texts):
    """The keys of a tokenizer with the pre-tokenizer `pre`; returns how many tokens it has."""
    tokens, types, merges = vocabulary(size, texts)
    writer.add("tokenizer.ggml.model", "gpt2")
    writer.add("tokenizer.ggml.pre", pre)
    writer.add("tokenizer.ggml.tokens", tokens)
    writer.add("tokenizer.ggml.token_type", types)
    writer.add("tokenizer.ggml.merges", merges)
    for key, token in (("bos", "<|endoftext|>"), ("padding", "<|endoftext|>"), ("eos", "<|im_end|>")):
        writer.add(f"tokenizer.ggml.{key}_token_id", tokens.index(token))
    writer.add("tokenizer.ggml.add_bos_token", False)
    return len(tokens)


class SmallModel:
    """Gathers the keys and tensors of one model; an architecture's function says which."""

    def __init__(self, name, architecture, seed, kind_of, ggml):
        self.architecture = architecture
        self.dice = Dice(seed)
        self.kind_of = kind_of  # of a matrix's name: one of TYPES
        self.ggml = ggml
        self.pools = {}
        self.writer = Writer()
        self.writer.add("general.architecture", architecture)
        self.writer.add("general.name", name)

    def key(self, name, value):
        """A key of the architecture: an integer, a float, a boolean, a text or a list of these."""
        self.writer.add(f"{self.architecture}.{name}", value)

    def keys(self, **values):
        """Keys whose names have no dots; `attention__key_length` is attention.key_length."""
        for name, value in values.items():
            self.key(name.replace("__", "."), value)

    def tensor(self, name, weights, kind="f32"):
        """A tensor of given weights."""
        weights = np.asarray(weights, np.float32)
        self.writer.tensors.append((name, weights.shape[::-1], TYPES[kind][0], self.ggml.quantized(weights, kind)))

    def norm(self, name, size):
        """Weights of a normalisation, around 1."""
        self.tensor(f"{name}.weight", self.dice.between(0.75, 1.25, size))

    def matrix(self, name, *shape, gain=1.0, kind=None):
        """A matrix, or a matrix of each expert, of which a normalised input makes an output `gain` times as large;
        its rows are the last of `shape`, which is the other way round in the file."""
        kind = kind or self.kind_of(name)
        self.tensor(f"{name}.weight", self.drawn(shape, gain, TYPES[kind][1]), kind)

    def drawn(self, shape, gain, block):
        """Random weights of the shape, in segments of 32 or of a block if that is larger."""
        columns = shape[-1]
        segment = math.gcd(columns, max(32, block))
        pool = self.pool(short(gain / math.sqrt(columns) / math.sqrt(10.5)), segment)
        picks = self.dice.below(POOL, math.prod(shape) // segment)
        return pool[picks].reshape(shape)

    def words(self, name, width, gain):
        """A row for each token, no two of them equal."""
        rows = np.empty((0, width), np.float32)
        while len(rows) < VOCABULARY:
            rows = np.unique(np.vstack([rows, self.drawn((VOCABULARY, width), gain, 1)]), axis=0)
        kind = self.kind_of(name)
        order = np.argsort(self.dice.below(1 << 40, len(rows)), kind="stable")[:VOCABULARY]
        self.tensor(f"{name}.weight", rows[order], kind)

    def pool(self, step, segment):
        """Segments whose weights are -7 to 7 steps: the sum of two dice, of which the deviation is sqrt(10.5)."""
        if (step, segment) not in self.pools:
            dice = self.dice.below(8, 2 * POOL * segment).reshape(2, POOL, segment)
            self.pools[step, segment] = (dice.astype(np.int64).sum(0) - 7) * np.float32(step)
        return self.pools[step, segment]

    def write(self, path, file_type):
        """The file; `file_type` is general.file_type, by which llama.cpp names it."""
        self.writer.add("general.quantization_version", 2)
        self.writer.add("general.file_type", file_type)
        self.writer.write(path)
