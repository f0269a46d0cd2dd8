"""Trains a byte-level BPE tokenizer on the documents and encodes them with it.
Writes tokenizer.json, train.bin and val.bin (16-bit token ids)."""

import argparse
import heapq
import json
import random
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import regex

from common import fail, log, require_file, written_whole

END_OF_TEXT = "<|endoftext|>"
SPECIAL_TOKENS = [END_OF_TEXT, "<|im_start|>", "<|im_end|>"]

# Qwen2's way to cut text before merging; `qwen2` in GGUF's
# tokenizer.ggml.pre.
PRE_TOKENIZER = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+")

SAMPLE = 0.35  # share of the documents; more would hardly change the merges
SAMPLE_SEED = 2
LONGEST_WORD = 63  # characters; longer words are rules and tables
CACHED_WORDS = 3_000_000


def byte_characters():
    """Returns GPT-2's printable character for each byte: tokens are text."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in characters)
    return characters | {byte: chr(256 + n) for n, byte in enumerate(others)}


BYTE_CHARACTERS = byte_characters()


def spelled(word):
    """Returns the word's bytes as their characters."""
    return [BYTE_CHARACTERS[byte] for byte in word.encode("utf8")]


class Merger:
    """Words as token sequences, and how often each pair occurs in them."""

    def __init__(self, word_counts):
        self.vocabulary = sorted(BYTE_CHARACTERS.values())
        self.merges = []
        ids = {text: id for id, text in enumerate(self.vocabulary)}
        self.words = [[ids[c] for c in spelled(word)] for word in word_counts]
        self.counts = list(word_counts.values())
        self.pair_counts = Counter()
        self.words_with = defaultdict(set)
        for index in range(len(self.words)):
            self._count_pairs(index)
        self.heap = [(-n, pair) for pair, n in self.pair_counts.items()]
        heapq.heapify(self.heap)

    def merge_most_frequent(self):
        """Merges the most frequent pair; returns False if there is no pair."""
        pair = self._most_frequent()
        if pair is None:
            return False
        left, right = (self.vocabulary[id] for id in pair)
        merged = len(self.vocabulary)
        self.vocabulary.append(left + right)
        self.merges.append(f"{left} {right}")
        changed = set()
        for index in self.words_with.pop(pair):
            changed |= self._uncount_pairs(index)
            self.words[index] = with_merged(self.words[index], pair, merged)
            changed |= self._count_pairs(index)
        for other in changed:
            if self.pair_counts[other] > 0:
                heapq.heappush(self.heap, (-self.pair_counts[other], other))
        return True

    def _most_frequent(self):
        """Returns the most frequent pair; of several, the oldest tokens."""
        # Each change of a count pushes a new entry and leaves the old one in
        # the heap, so an entry with an outdated count is skipped.
        while self.heap:
            negated, pair = heapq.heappop(self.heap)
            if self.pair_counts[pair] == -negated:
                return pair
        return None

    def _count_pairs(self, index):
        """Adds the word's pairs to the counts and returns them."""
        pairs = list(pairwise(self.words[index]))
        for pair in pairs:
            self.pair_counts[pair] += self.counts[index]
            self.words_with[pair].add(index)
        return set(pairs)

    def _uncount_pairs(self, index):
        """Subtracts the word's pairs from the counts and returns them."""
        pairs = list(pairwise(self.words[index]))
        for pair in pairs:
            self.pair_counts[pair] -= self.counts[index]
        return set(pairs)


def with_merged(word, pair, merged):
    """Replaces each occurrence of the pair in the word, left to right."""
    result = []
    position = 0
    while position < len(word):
        if tuple(word[position:position + 2]) == pair:
            result.append(merged)
            position += 2
        else:
            result.append(word[position])
            position += 1
    return result


def sampled_words(documents):
    """Returns the words of a sample of the documents, with their counts."""
    chance = random.Random(SAMPLE_SEED)
    counts = Counter()
    for text in documents:
        if chance.random() < SAMPLE:
            counts.update(PRE_TOKENIZER.findall(text))
    return {word: count for word, count in counts.items()
            if count > 1 and len(word) <= LONGEST_WORD}


def train(documents, size):
    """Trains a tokenizer of `size` tokens: a vocabulary and merges."""
    merger = Merger(sampled_words(documents))
    while len(merger.vocabulary) < size - len(SPECIAL_TOKENS):
        if not merger.merge_most_frequent():
            fail(f"the documents give only {len(merger.merges)} merges: give "
                 f"more documents, or a --vocabulary below {size}")
    return {"vocab": merger.vocabulary + SPECIAL_TOKENS,
            "merges": merger.merges}


class Encoder:
    """Converts text to token ids with a trained tokenizer."""

    def __init__(self, tokenizer):
        self.ids = {text: id for id, text in enumerate(tokenizer["vocab"])}
        self.ranks = {tuple(merge.split(" ")): rank
                      for rank, merge in enumerate(tokenizer["merges"])}
        self.known = {}

    def document(self, text):
        """Returns the token that ends the document before, then this one's."""
        tokens = [self.ids[END_OF_TEXT]]
        for word in PRE_TOKENIZER.findall(text):
            tokens += self.word(word)
        return np.array(tokens, dtype=np.uint16)

    def word(self, word):
        """Returns the word's tokens; pairs merge in the order of training."""
        tokens = self.known.get(word)
        if tokens is None:
            tokens = [self.ids[part] for part in self._merged(spelled(word))]
            if len(self.known) < CACHED_WORDS:
                self.known[word] = tokens
        return tokens

    def _merged(self, parts):
        """Applies all merges to the parts."""
        never = len(self.ranks)
        while len(parts) > 1:
            rank, at = min((self.ranks.get(pair, never), position)
                           for position, pair in enumerate(pairwise(parts)))
            if rank == never:
                break
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        return parts


def encoded(documents, encoder):
    """Returns the tokens of each document."""
    result = []
    for text in documents:
        result.append(encoder.document(text))
        if len(result) % 2000 == 0:
            log(f"{len(result)} of {len(documents)} documents")
    return result


def write_tokens(path, documents):
    """Writes the tokens of all documents in a row, as 16-bit integers."""
    with written_whole(path) as partial:
        np.concatenate(documents).astype("<u2").tofile(partial)


def read_documents(path):
    """Reads the texts that build.py wrote."""
    require_file(path, "build.py")
    with open(path, encoding="utf8") as file:
        return [json.loads(line)["t"] for line in file]


def parse_arguments():
    """Reads and checks the command line; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: bpe.py docs.jsonl -o tokens")
    parser.add_argument("documents", type=Path,
                        help="the file that build.py wrote")
    parser.add_argument("-o", "--output", type=Path, required=True,
                        metavar="DIR",
                        help="the folder for the outputs; made if missing")
    parser.add_argument("--vocabulary", type=int, default=4096, metavar="N",
                        help="number of tokens, three special ones included "
                        "(default: %(default)s)")
    parser.add_argument("--held-out", type=int, default=150, metavar="N",
                        help="number of documents to hold out for val.bin "
                        "(default: %(default)s)")
    arguments = parser.parse_args()
    smallest = len(BYTE_CHARACTERS) + len(SPECIAL_TOKENS) + 1
    if not smallest <= arguments.vocabulary <= 2**16:
        parser.error(f"--vocabulary must be from {smallest} (the bytes, the "
                     f"special tokens and a merge) to {2**16} (16-bit ids)")
    if arguments.held_out < 1:
        parser.error("--held-out must be 1 or more")
    return arguments


def main():
    """Trains the tokenizer, then writes it and the tokens."""
    arguments = parse_arguments()
    documents = read_documents(arguments.documents)
    held_out = arguments.held_out
    if len(documents) <= held_out:
        fail(f"{arguments.documents}: {len(documents)} documents, none left "
             f"to train on with --held-out {held_out}")
    tokenizer = train(documents, arguments.vocabulary)
    log(f"{len(tokenizer['merges'])} merges")
    tokens = encoded(documents, Encoder(tokenizer))

    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    write_tokens(output / "train.bin", tokens[:-held_out])
    write_tokens(output / "val.bin", tokens[-held_out:])
    # Written last, since `make` takes it for a sign that the tokens exist.
    with written_whole(output / "tokenizer.json") as partial:
        with open(partial, "w", encoding="utf8") as file:
            json.dump(tokenizer, file, ensure_ascii=False)
    size = sum(len(text.encode()) for text in documents)
    total = sum(map(len, tokens))
    print(f"{total} tokens, {size / total:.2f} bytes each")


if __name__ == "__main__":
    main()
