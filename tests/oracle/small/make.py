"""Makes what tests/references ships, but for llama.cpp's answers: make.py FOLDER LIBGGML_BASE

Writes the models of MODELS, bit for bit from their seeds; a vocabulary for each pre-tokenizer; blocks of each weight
type and the values that ggml makes of them; and the texts for the tokenizers, as hexadecimal digits, one a line.
"""

import pathlib
import sys

import architectures
import model
from texts import SENTENCES, TEXTS

SEED = 20260
FILE_TYPES = {"f32": 0, "q8_0": 7}

# Eleven ways of storing weights that are more than F32 and Q8_0, a tensor of experts each.
EVERY_TYPE = ["q4_0", "mxfp4", "q4_k", "q5_k", "q6_k", "q3_k", "q2_k", "iq2_xxs", "iq2_xs", "f16", "bf16", "q8_0"]
PRE_TOKENIZERS = {"qwen2": "qwen3moe", "qwen35": "qwen35moe", "olmo": "olmoe"}


def expert_types(name):
    """Of a model with every type: a type for each of the experts' tensors, Q8_0 for all else."""
    if "_exps" not in name:
        return "q8_0"
    block = int(name.split(".")[1])
    part = ["gate", "up", "down"].index(name.split("_")[1])
    return EVERY_TYPE[3 * block + part]


def make_models(folder, ggml):
    """Each architecture in F32 and Q8_0, and one with experts of every type, whose rows are whole blocks of 256."""
    for seed, (name, build) in enumerate(architectures.ARCHITECTURES.items(), SEED):
        for mode, file_type in FILE_TYPES.items():
            small = model.SmallModel(f"small-{name}-{mode}", name, seed, lambda _, mode=mode: mode, ggml)
            build(small)
            small.write(folder / f"small-{name}-{mode}.gguf", file_type)
    small = model.SmallModel("small-qwen3moe-every-type", "qwen3moe", SEED, expert_types, ggml)
    architectures.qwen3moe(small, layers=4, width=256, experts=4, used=2, hidden=256)
    small.write(folder / "small-qwen3moe-every-type.gguf", FILE_TYPES["q8_0"])


def make_vocabularies(folder):
    """Models without tensors, one for each pre-tokenizer."""
    for pre, architecture in PRE_TOKENIZERS.items():
        writer = model.Writer()
        writer.add("general.architecture", architecture)
        writer.add("general.name", f"vocabulary-{pre}")
        model.add_vocabulary(writer, pre, 700, SENTENCES)
        writer.write(folder / f"{pre}.gguf")
    (folder / "texts.hex").write_text("".join(text.encode().hex() + "\n" for text in TEXTS))


def make_blocks(folder, ggml):
    """For each type blocks of small and of large values, and the values that ggml makes of them."""
    dice = model.Dice(SEED)
    rows, columns = 16, 256
    for kind, (_, block, _) in model.TYPES.items():
        if block == 1:
            continue
        scales = 2.0 ** dice.between(-8, 3, rows).reshape(rows, 1)
        weights = sum(dice.between(-1, 1, rows * columns) for _ in range(4)).reshape(rows, columns) * scales
        weights[1] = 0
        weights[2, 17] = 40
        data = ggml.quantized(weights, kind)
        (folder / f"{kind}.blocks").write_bytes(data)
        (folder / f"{kind}.values").write_bytes(ggml.dequantized(data, kind, rows * columns))


def main():
    folder = pathlib.Path(sys.argv[1])
    ggml = model.Ggml(sys.argv[2])
    for name in ("models", "tokenizers", "blocks"):
        (folder / name).mkdir()
    make_models(folder / "models", ggml)
    make_vocabularies(folder / "tokenizers")
    make_blocks(folder / "blocks", ggml)


main()
