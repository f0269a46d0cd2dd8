"""Reads and writes Spillway's files as docs/FORMATS.md describes them, with none of Spillway's code.

formats.py copy TRACE COPY    writes the steps of TRACE to COPY, and as CSV to stdout
formats.py check STORE...     compares the bytes of a store, in one file or several, with its header
Exits with 77 if the library of zstd or of xxHash is missing.
"""

import ctypes
import json
import struct
import sys
from types import SimpleNamespace as Step

try:
    ZSTD, XXHASH = ctypes.CDLL("libzstd.so.1"), ctypes.CDLL("libxxhash.so.0")
except OSError as problem:
    sys.exit(print(f"{problem}; on Debian, install libzstd1 and libxxhash0", file=sys.stderr) or 77)
XXHASH.XXH3_64bits_withSeed.restype = ctypes.c_uint64
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
M64 = (1 << 64) - 1


def xxh3(data, seed=0):
    return XXHASH.XXH3_64bits_withSeed(bytes(data), ctypes.c_size_t(len(data)), ctypes.c_uint64(seed))


def decompress(data, size):
    out = ctypes.create_string_buffer(size)
    got = ZSTD.ZSTD_decompress(out, ctypes.c_size_t(size), bytes(data), ctypes.c_size_t(len(data)))
    assert got == size, "a section does not decompress to its size"
    return out.raw


def mix64(x):
    x = x + 0x9E3779B97F4A7C15 & M64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & M64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & M64
    return x ^ x >> 31


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return out + bytes([value])


def zigzag(value):
    return varint((value << 1 ^ value >> 63) & M64)


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data), "a section ends too early"
        return self.data[self.at - count : self.at]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & M64
        raise AssertionError("a varint of more than 10 bytes")

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)


# ---- trace

MAGIC = b"\xffSPWTR\r\n"
STEPS, END = 0x4B425053, 0x444E5053
FLAGS, FIELDS, LOW, HIGH, WEIGHTS, TIMES, LOOKAHEAD, IDS, SECTIONS = 0, 1, 2, 3, 4, 8, 9, 10, 11


class Coding:
    """The state that runs through the whole file: the prediction, the last token ids, the recency lists."""

    def __init__(self, header):
        geometry = header["geometry"]
        self.layers, self.experts = geometry["layers"], geometry["experts_per_layer"]
        self.top_k, self.columns = geometry["used_top_k"], header["columns"]
        self.last_ids = []
        self.recent = [list(range(self.experts)) for _ in range(self.layers)]
        self.predict(Step(number=-1, layer=self.layers - 1, tokens=1, phase="decode", sequence=0))

    def predict(self, step):
        last = step.layer + 1 == self.layers
        self.number, self.layer = step.number + last, 0 if last else step.layer + 1
        self.tokens, self.phase, self.sequence = step.tokens, step.phase, step.sequence
        # Look-ahead experts are counted from the first expert of the next layer.
        self.first, self.total = (step.layer + 1) % self.layers * self.experts, self.layers * self.experts

    def decode(self, section):
        flags, fields = section[FLAGS].take(1)[0], section[FIELDS]
        step = Step(choices=[], listed=[], weights=[], token_ids=[], times=[None, None], lookahead=[])
        step.number = self.number + fields.zigzag() & M64 if flags & 1 else self.number
        step.layer = fields.varint() if flags & 2 else self.layer
        step.tokens = fields.varint() if flags & 4 else self.tokens
        step.phase = "prefill" if (self.phase == "prefill") != bool(flags & 8) else "decode"
        step.sequence = fields.varint() if flags & 16 else self.sequence
        listed = fields.varint() if flags & 32 else 0
        count, group = (listed, listed) if listed else (step.tokens * self.top_k, self.top_k)
        low = section[LOW].take(count)
        high = section[HIGH].take(count) if self.experts > 256 else bytes(count)
        recent, experts = self.recent[step.layer], step.listed if listed else step.choices
        for i in range(count):
            experts.append(recent.pop(low[i] + (high[i] << 8) + i % group))
            recent.insert(0, experts[-1])
        if "token_ids" in self.columns:
            if flags & 64:
                self.last_ids = [section[IDS].zigzag() for _ in range(step.tokens)]
            step.token_ids = [] if flags & 128 else self.last_ids
            assert len(step.token_ids) in (0, step.tokens)
        if "weights" in self.columns:
            planes = [section[WEIGHTS + i].take(len(step.choices)) for i in range(4)]
            step.weights = [struct.unpack("<f", bytes(four))[0] for four in zip(*planes)]
        if "times" in self.columns:
            times = [section[TIMES].varint() for _ in range(2)]
            step.times = [time - 1 if time else None for time in times]
        self.predict(step)
        if "lookahead" in self.columns:
            ahead = [section[LOOKAHEAD].varint() for _ in range(section[LOOKAHEAD].varint())]
            step.lookahead = [(expert + self.first) % self.total for expert in ahead]
        return step

    def encode(self, step, section):
        flags = 0
        if step.number != self.number:
            flags |= 1
            section[FIELDS] += zigzag(step.number - self.number)
        for bit, name in (2, "layer"), (4, "tokens"), (8, "phase"), (16, "sequence"):
            if getattr(step, name) != getattr(self, name):
                flags |= bit
                section[FIELDS] += b"" if name == "phase" else varint(getattr(step, name))
        if step.listed:
            flags |= 32
            section[FIELDS] += varint(len(step.listed))
        if "token_ids" in self.columns and not step.token_ids:
            flags |= 128
        elif "token_ids" in self.columns and step.token_ids != self.last_ids:
            flags |= 64
            self.last_ids = step.token_ids
            section[IDS] += b"".join(map(zigzag, step.token_ids))
        section[FLAGS].append(flags)
        recent, group = self.recent[step.layer], len(step.listed) or self.top_k
        for i, expert in enumerate(step.listed or step.choices):
            rank = recent.index(expert) - i % group
            recent.remove(expert)
            recent.insert(0, expert)
            section[LOW].append(rank & 0xFF)
            section[HIGH] += bytes([rank >> 8]) if self.experts > 256 else b""
        for weight in step.weights:
            for i, byte in enumerate(struct.pack("<f", weight)):
                section[WEIGHTS + i].append(byte)
        if "times" in self.columns:
            section[TIMES] += b"".join(varint(0 if time is None else time + 1) for time in step.times)
        self.predict(step)
        if "lookahead" in self.columns:
            ahead = ((expert - self.first) % self.total for expert in step.lookahead)
            section[LOOKAHEAD] += varint(len(step.lookahead)) + b"".join(map(varint, ahead))


def read_trace(path):
    """Returns the header's text and the steps."""
    data = memoryview(open(path, "rb").read())
    version, header_bytes, seed = struct.unpack_from("<IIQ", data, 8)
    assert data[:8] == MAGIC and version == 1
    text = data[24 : 24 + header_bytes]
    assert xxh3(text, xxh3(data[:16])) == seed, "the header fails its hash"
    coding = Coding(json.loads(bytes(text)))
    steps, at, number = [], 24 + header_bytes, 0
    while True:
        head = data[at : at + 40]
        kind, size, count, block, first, payload_hash, head_hash = struct.unpack("<IIIIQQQ", head)
        payload = data[at + 40 : at + 40 + size]
        assert xxh3(head[:32], seed) == head_hash and xxh3(payload, seed) == payload_hash
        assert (block, first) == (number, len(steps))
        at, number = at + 40 + size, number + 1
        if kind == END:
            assert at == len(data), "there are bytes behind the end mark"
            return bytes(text).decode(), steps
        assert kind == STEPS
        cursor = Cursor(payload)
        sizes = [(cursor.varint(), cursor.varint()) for _ in range(SECTIONS)]
        stored = [(raw, cursor.take(size)) for raw, size in sizes]
        sections = [Cursor(part if len(part) == raw else decompress(part, raw)) for raw, part in stored]
        steps += [coding.decode(sections) for _ in range(count)]
        assert cursor.at == len(payload) and all(part.at == len(part.data) for part in sections)


def write_trace(path, header, steps):
    """Compresses nothing and makes blocks of other sizes than Spillway does; a writer may do both."""
    text = header.encode()
    head = MAGIC + struct.pack("<II", 1, len(text))
    seed = xxh3(text, xxh3(head))

    def block(kind, payload, count, number, first):
        start = struct.pack("<IIIIQQ", kind, len(payload), count, number, first, xxh3(payload, seed))
        return start + struct.pack("<Q", xxh3(start, seed)) + payload

    with open(path, "wb") as file:
        file.write(head + struct.pack("<Q", seed) + text)
        coding, number = Coding(json.loads(text)), 0
        for first in range(0, len(steps), 1000):
            sections = [bytearray() for _ in range(SECTIONS)]
            for step in steps[first : first + 1000]:
                coding.encode(step, sections)
            sizes = b"".join(2 * varint(len(section)) for section in sections)
            count = min(1000, len(steps) - first)
            file.write(block(STEPS, sizes + b"".join(sections), count, number, first))
            number += 1
        file.write(block(END, b"", 0, number, len(steps)))


def shortest(value):
    """Returns the shortest decimal that reads back as the same f32."""
    texts = (f"{value:.{digits}g}" for digits in range(1, 10))
    return next(text for text in texts if struct.pack("<f", float(text)) == struct.pack("<f", value))


def csv_of(header, steps):
    geometry = json.loads(header)["geometry"]
    yield "# spillway.trace.csv/1 " + header
    yield "pass,phase,sequence,layer,tokens,token,expert,weight,token_id,attention_ns,experts_ns,lookahead"
    for step in steps:
        begin = f"{step.number},{step.phase},{step.sequence},{step.layer},{step.tokens}"
        ahead = " ".join("%d/%d" % divmod(expert, geometry["experts_per_layer"]) for expert in step.lookahead)
        end = ",".join("" if time is None else str(time) for time in step.times) + "," + ahead
        for i, expert in enumerate(step.listed or step.choices):
            token = "" if step.listed else i // geometry["used_top_k"]
            weight = shortest(step.weights[i]) if step.weights else ""
            token_id = step.token_ids[token] if step.token_ids and not step.listed else ""
            yield f"{begin},{token},{expert},{weight},{token_id},{',,' if i else end}"


# ---- store


def read_header(data):
    assert data[:16] == b"SPILLWAY-STORE/1"
    size, checksum = struct.unpack_from("<QQ", data, 16)
    text, state = data[32 : 32 + size], mix64(size)
    for byte in text:
        state = mix64(state ^ byte)
    assert state == checksum, "the header fails its checksum"
    return json.loads(bytes(text))


def tables_of(header):
    """Returns (offset, bytes of the part, bytes of a slot) of each table, and the end of the data."""
    ranges, offset, tables = header["ranges_per_expert"], 1 << 21, []
    for expert in header["geometry"]["expert_bytes"]:
        for part in range(ranges):
            size = expert - expert // ranges * (ranges - 1) if part + 1 == ranges else expert // ranges
            slot = -(-size // header["piece"]["count"])
            slot += -slot % 4096
            tables.append((offset, size, slot))
            offset += slot * header["geometry"]["experts_per_layer"]
    return tables, offset


def sample_of(expert_id, data):
    if len(data) <= 64:
        return xxh3(data)
    inner = [mix64(mix64(expert_id) + i & M64) % (len(data) - 8) for i in range(1, 7)]
    return xxh3(b"".join(bytes(data[at : at + 8]) for at in [0, *inner, len(data) - 8]))


def check_packed(data, header):
    packed, experts = header["content"]["packed"], header["geometry"]["experts_per_layer"]
    tables, end = tables_of(header)
    entries = data[end : end + 24 * experts * header["geometry"]["layers"]]
    assert header["schema"] == "spillway.store/2" and xxh3(entries) == packed["index_checksum"]
    for expert_id, (checksum, sample, slot, _) in enumerate(struct.iter_unpack("<QQII", entries)):
        table, size, slot_bytes = tables[expert_id // experts]
        assert sum(part["bytes"] for part in packed["parts"][expert_id // experts]) == size
        expert = data[table + slot * slot_bytes :][:size]
        assert xxh3(expert) == checksum and sample_of(expert_id, expert) == sample
    print(f"{expert_id + 1} experts of {packed['origin']['files'][0]['name']}")


def check_generated(data, header):
    key = mix64(mix64(header["content"]["generated"]) + header["piece"]["index"] & M64)
    places = range(1 << 21, tables_of(header)[1], 8 * 251)  # Python would take seconds for all words
    assert header["schema"] == "spillway.store/1" and len(data) == tables_of(header)[1]
    assert all(struct.unpack_from("<Q", data, at)[0] == mix64(key + at & M64) for at in places)
    print(f"{len(places)} words")


def main(command, *paths):
    if command == "copy":
        header, steps = read_trace(paths[0])
        print("\n".join(csv_of(header, steps)))
        write_trace(paths[1], header, steps)
    for index, path in enumerate(paths if command == "check" else []):
        data = memoryview(open(path, "rb").read())
        header = read_header(data)
        assert (header["piece"]["index"], header["piece"]["count"]) == (index, len(paths))
        (check_packed if "packed" in header["content"] else check_generated)(data, header)


main(*sys.argv[1:])
