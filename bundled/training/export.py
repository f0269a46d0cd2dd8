"""Writes a checkpoint of train.py and its tokenizer as a GGUF file of
architecture qwen3moe."""

import argparse
import json
from pathlib import Path

import gguf
from bpe import END_OF_TEXT, SPECIAL_TOKENS
from common import fail, require_file, written_whole
from model import NORM_EPSILON, ROPE_BASE, Shape
from train import read_checkpoint

ARCHITECTURE = "qwen3moe"
CONTEXT = 1024  # the most tokens that readers should use
TEXTS = ("documentation, man pages in nine languages, dictionaries, C and "
         "Python")

# GGUF's numbers for the kinds of tokens.
NORMAL_TOKEN, CONTROL_TOKEN = 1, 3

# Types of the experts' weights, and for each the type of all other matrices.
# Only the experts are in Q4_0: they are nearly all of the file, while every
# token uses the other matrices. Norms and routers stay F32.
MATRIX_TYPES = {"f32": "f32", "q8_0": "q8_0", "q4_0": "q8_0"}

# Names of the attention matrices, in GGUF and in the checkpoint.
ATTENTION = {"attn_q": "q", "attn_k": "k", "attn_v": "v",
             "attn_output": "output"}


def add_metadata(writer, shape, name):
    """Adds the description of the model and its sizes."""
    writer.add("general.architecture", ARCHITECTURE)
    writer.add("general.name", name)
    writer.add("general.alignment", gguf.ALIGNMENT)
    writer.add("general.description",
               f"{shape.layers} layers x {shape.experts} experts, "
               f"top-{shape.top_k}; trained on {TEXTS}")
    sizes = {
        "block_count": shape.layers,
        "context_length": CONTEXT,
        "embedding_length": shape.hidden,
        # The size of dense layers. There are none, but readers need the key.
        "feed_forward_length": shape.expert_ffn * shape.top_k,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_dim,
        "attention.value_length": shape.head_dim,
        "attention.layer_norm_rms_epsilon": NORM_EPSILON,
        "rope.freq_base": ROPE_BASE,
        "expert_count": shape.experts,
        "expert_used_count": shape.top_k,
        "expert_feed_forward_length": shape.expert_ffn,
    }
    for key, value in sizes.items():
        writer.add(f"{ARCHITECTURE}.{key}", value)


def add_tokenizer(writer, tokenizer):
    """Adds vocabulary and merges; one token ends and begins documents."""
    vocabulary = tokenizer["vocab"]
    normal = len(vocabulary) - len(SPECIAL_TOKENS)
    end = vocabulary.index(END_OF_TEXT)
    writer.add("tokenizer.ggml.model", "gpt2")
    writer.add("tokenizer.ggml.pre", "qwen2")
    writer.add("tokenizer.ggml.tokens", vocabulary)
    writer.add("tokenizer.ggml.token_type",
               [NORMAL_TOKEN] * normal
               + [CONTROL_TOKEN] * len(SPECIAL_TOKENS))
    writer.add("tokenizer.ggml.merges", tokenizer["merges"])
    writer.add("tokenizer.ggml.bos_token_id", end)
    writer.add("tokenizer.ggml.eos_token_id", end)
    writer.add("tokenizer.ggml.padding_token_id", end)
    writer.add("tokenizer.ggml.add_bos_token", False)


def add_layer(writer, layer, weights, kind):
    """Adds the tensors of one layer, its experts as `kind`."""
    def add(target, source, stored_as):
        """Adds one tensor under its GGUF name."""
        writer.add_tensor(f"blk.{layer}.{target}.weight",
                          weights[f"blocks.{layer}.{source}"], stored_as)

    def add_experts(target, matrices):
        """Adds all experts' matrices, with rows first, as in GGUF."""
        writer.add_tensor(f"blk.{layer}.{target}.weight",
                          matrices.transpose(0, 2, 1), kind)

    add("attn_norm", "attention_norm.weight", "f32")
    for target, source in ATTENTION.items():
        add(target, f"attention.{source}.weight", MATRIX_TYPES[kind])
    add("attn_q_norm", "attention.q_norm.weight", "f32")
    add("attn_k_norm", "attention.k_norm.weight", "f32")
    add("ffn_norm", "experts_norm.weight", "f32")
    add("ffn_gate_inp", "experts.router.weight", "f32")

    gate_up = weights[f"blocks.{layer}.experts.gate_up"]
    ffn = gate_up.shape[-1] // 2
    add_experts("ffn_gate_exps", gate_up[:, :, :ffn])
    add_experts("ffn_up_exps", gate_up[:, :, ffn:])
    add_experts("ffn_down_exps", weights[f"blocks.{layer}.experts.down"])


def add_weights(writer, shape, weights, kind):
    """Adds all tensors of the model."""
    matrices = MATRIX_TYPES[kind]
    writer.add_tensor("token_embd.weight", weights["embedding.weight"],
                      matrices)
    writer.add_tensor("output_norm.weight", weights["norm.weight"], "f32")
    writer.add_tensor("output.weight", weights["head.weight"], matrices)
    for layer in range(shape.layers):
        add_layer(writer, layer, weights, kind)


def read_tokenizer(path, shape):
    """Reads the tokenizer and checks it against the model."""
    require_file(path, "bpe.py")
    tokenizer = json.loads(path.read_text("utf8"))
    if len(tokenizer["vocab"]) != shape.vocabulary:
        fail(f"{path}: {len(tokenizer['vocab'])} tokens, but the checkpoint "
             f"has {shape.vocabulary}; give the tokenizer it was trained with")
    return tokenizer


def main():
    """Exports the checkpoint; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: export.py model.pt --tokenizer "
        "tokens/tokenizer.json --type q4_0 -o model.gguf")
    parser.add_argument("checkpoint", type=Path,
                        help="the file that train.py wrote")
    parser.add_argument("--tokenizer", type=Path, required=True,
                        metavar="FILE", help="bpe.py's tokenizer.json")
    parser.add_argument("--type", choices=MATRIX_TYPES, default="q4_0",
                        help="type of the experts' weights "
                        "(default: %(default)s)")
    parser.add_argument("--name", default="spillway-tiny-moe",
                        help="name of the model (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, required=True,
                        metavar="FILE", help="the GGUF file to write")
    arguments = parser.parse_args()

    checkpoint = read_checkpoint(arguments.checkpoint)
    shape = Shape(**checkpoint["shape"])
    weights = {name: tensor.float().numpy()
               for name, tensor in checkpoint["weights"].items()}
    writer = gguf.Writer()
    add_metadata(writer, shape, arguments.name)
    add_tokenizer(writer, read_tokenizer(arguments.tokenizer, shape))
    try:
        add_weights(writer, shape, weights, arguments.type)
    except ValueError as error:
        fail(f"{error}; use --type f32")
    with written_whole(arguments.output) as partial:
        size = writer.write(partial)
    facts = checkpoint["facts"]
    print(f"{arguments.output}: {size} bytes, trained on {facts['tokens']} "
          f"tokens, held-out loss {facts.get('held_out_loss', 'unknown')}")


if __name__ == "__main__":
    main()
