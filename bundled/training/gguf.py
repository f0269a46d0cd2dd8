"""The part of the GGUF format (version 3) that the export needs: metadata, and
tensors in F32, Q8_0 and Q4_0."""

import struct

import numpy as np

ALIGNMENT = 32
BLOCK = 32  # weights that share a scale, in Q8_0 and Q4_0

# Type numbers of metadata values.
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9

# Type numbers of tensors.
TENSOR_TYPES = {"f32": 0, "q4_0": 2, "q8_0": 8}


def padding(size):
    """Returns zeros up to the next multiple of the alignment."""
    return bytes(-size % ALIGNMENT)


def packed_string(text):
    """Packs a string: length, then UTF-8."""
    data = text.encode("utf8")
    return struct.pack("<Q", len(data)) + data


def packed_value(value):
    """Packs a metadata value behind its type number."""
    if isinstance(value, bool):  # before int, since a bool is an int too
        return struct.pack("<IB", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + packed_string(value)
    return struct.pack("<I", ARRAY) + packed_array(value)


def packed_array(values):
    """Packs a list of strings or integers: type number, count, values."""
    if isinstance(values[0], str):
        return (struct.pack("<IQ", STRING, len(values))
                + b"".join(map(packed_string, values)))
    return (struct.pack("<IQ", INT32, len(values))
            + np.array(values, "<i4").tobytes())


def inverse(scales):
    """Returns 1 / scale as a column; 0 for a scale of 0."""
    safe = np.where(scales != 0, scales, 1)
    return np.where(scales != 0, 1 / safe, 0)[:, None]


def behind_scales(scales, quants):
    """Packs blocks: a half-precision scale, then the bytes it applies to."""
    halves = scales.astype("<f2").view(np.uint8).reshape(-1, 2)
    return np.hstack([halves, quants.view(np.uint8)]).tobytes()


def quantized_q8_0(weights):
    """Quantizes to a byte each: a block's largest becomes 127 or -127."""
    blocks = weights.reshape(-1, BLOCK)
    scales = (np.abs(blocks).max(1) / 127).astype(np.float32)
    quants = np.rint(blocks * inverse(scales)).astype(np.int8)
    return behind_scales(scales, quants)


def quantized_q4_0(weights):
    """Quantizes to 4 bits each, with the best of a few scales per block."""
    blocks = weights.reshape(-1, BLOCK)
    rows = np.arange(len(blocks))
    largest = blocks[rows, np.abs(blocks).argmax(1)]
    best_scales = np.zeros(len(blocks), np.float32)
    best_quants = np.zeros(blocks.shape, np.uint8)
    best_errors = np.full(len(blocks), np.inf)
    # The quants are -8 … 7, so a target of -8 for the largest uses all of
    # them. A target nearer to 0, that is, a larger scale, stores the largest
    # less exactly, but may suit the others better.
    for target in (-8.0, -7.6, -7.2):
        scales = (largest / target).astype("<f2").astype(np.float32)
        quants = np.clip(np.floor(blocks * inverse(scales) + 8.5), 0, 15)
        errors = (((quants - 8) * scales[:, None] - blocks) ** 2).sum(1)
        better = errors < best_errors
        best_scales[better] = scales[better]
        best_quants[better] = quants[better]
        best_errors[better] = errors[better]
    # The low nibbles hold the block's first half, the high ones its second.
    low, high = np.hsplit(best_quants, 2)
    return behind_scales(best_scales, low | (high << 4))


QUANTIZERS = {
    "f32": lambda weights: weights.tobytes(),
    "q8_0": quantized_q8_0,
    "q4_0": quantized_q4_0,
}


class Writer:
    """Collects metadata and tensors, then writes them as one file."""

    def __init__(self):
        self.metadata = []
        self.tensors = []

    def add(self, key, value):
        """Adds a metadata entry of the value's type."""
        self.metadata.append(packed_string(key) + packed_value(value))

    def add_tensor(self, name, weights, kind):
        """Adds a tensor, stored as one of TENSOR_TYPES."""
        weights = np.ascontiguousarray(weights, np.float32)
        if kind != "f32" and weights.shape[-1] % BLOCK:
            raise ValueError(
                f"{name}: rows of {weights.shape[-1]} weights cannot be cut "
                f"into blocks of {BLOCK}, as {kind} needs")
        self.tensors.append((name, weights.shape[::-1], TENSOR_TYPES[kind],
                             QUANTIZERS[kind](weights)))

    def write(self, path):
        """Writes header, metadata, tensor table, tensors; returns the size."""
        header = b"GGUF" + struct.pack(
            "<IQQ", 3, len(self.tensors), len(self.metadata))
        header += b"".join(self.metadata) + self._table()
        with open(path, "wb") as file:
            file.write(header + padding(len(header)))
            for *_, data in self.tensors:
                file.write(data + padding(len(data)))
            return file.tell()

    def _table(self):
        """Returns the name, dimensions, type and offset of each tensor."""
        table = b""
        offset = 0
        for name, dimensions, kind, data in self.tensors:
            count = len(dimensions)
            table += packed_string(name)
            table += struct.pack(f"<I{count}Q", count, *dimensions)
            table += struct.pack("<IQ", kind, offset)
            offset += len(data) + len(padding(len(data)))
        return table
