"""One function for each architecture: its keys and tensors as its files have them, at a size where llama.cpp's
answer fits into a repository. The gains keep what a layer adds small, because a rounding would otherwise grow from
layer to layer until another expert is chosen."""

import numpy as np

from model import VOCABULARY, add_vocabulary
from texts import SENTENCES

WIDTH = 64
MIXER, DOWN, ROUTER, HEAD = 0.6, 0.5, 4.0, 2.0  # gains


def trunk(model, layers, width, pre):
    """What stands around the layers, and the tokenizer."""
    model.keys(block_count=layers, context_length=4096, embedding_length=width)
    model.key("attention.layer_norm_rms_epsilon", 1e-6)
    add_vocabulary(model.writer, pre, VOCABULARY, SENTENCES)
    model.words("token_embd", width, gain=width**0.5)
    model.norm("output_norm", width)
    model.words("output", width, gain=HEAD)


def head_keys(model, heads, kv_heads, size, base):
    """The keys of attention with `heads` heads of `size`."""
    model.key("attention.head_count", heads)
    model.key("attention.head_count_kv", kv_heads)
    model.key("attention.key_length", size)
    model.key("attention.value_length", size)
    model.key("rope.freq_base", base)


def attention(model, block, width, queries, keys, q_norm, k_norm, out):
    """Attention whose queries and keys are normalised, over so many values each."""
    model.matrix(f"blk.{block}.attn_q", queries, width)
    model.matrix(f"blk.{block}.attn_k", keys, width)
    model.matrix(f"blk.{block}.attn_v", keys, width)
    model.norm(f"blk.{block}.attn_q_norm", q_norm)
    model.norm(f"blk.{block}.attn_k_norm", k_norm)
    model.matrix(f"blk.{block}.attn_output", width, out, gain=MIXER)


def routed_keys(model, experts, used, hidden):
    """The keys of the router and its experts."""
    model.keys(expert_count=experts, expert_used_count=used, expert_feed_forward_length=hidden)
    model.key("feed_forward_length", hidden)


def routed(model, block, width, experts, hidden):
    """The router, which stays F32 in every file, and its experts."""
    model.matrix(f"blk.{block}.ffn_gate_inp", experts, width, gain=ROUTER, kind="f32")
    model.matrix(f"blk.{block}.ffn_gate_exps", experts, hidden, width)
    model.matrix(f"blk.{block}.ffn_up_exps", experts, hidden, width)
    model.matrix(f"blk.{block}.ffn_down_exps", experts, width, hidden, gain=DOWN)


def qwen3moe(model, layers=3, width=WIDTH, experts=16, used=4, hidden=32):
    """Grouped queries, heads normalised one by one; the chosen experts' weights are scaled to 1."""
    heads, kv_heads, size = 4, 2, 16
    head_keys(model, heads, kv_heads, size, 1e6)
    routed_keys(model, experts, used, hidden)
    trunk(model, layers, width, "qwen2")
    for block in range(layers):
        model.norm(f"blk.{block}.attn_norm", width)
        attention(model, block, width, heads * size, kv_heads * size, size, size, heads * size)
        model.norm(f"blk.{block}.ffn_norm", width)
        routed(model, block, width, experts, hidden)


def olmoe(model, layers=3, width=WIDTH, experts=16, used=4, hidden=32):
    """As many keys as queries, normalised across all heads; the experts' weights stay a softmax over all experts."""
    heads, size = 4, 16
    head_keys(model, heads, heads, size, 1e4)
    routed_keys(model, experts, used, hidden)
    trunk(model, layers, width, "olmo")
    for block in range(layers):
        model.norm(f"blk.{block}.attn_norm", width)
        attention(model, block, width, width, width, width, width, heads * size)
        model.norm(f"blk.{block}.ffn_norm", width)
        routed(model, block, width, experts, hidden)


def delta_net(model, block, width, key_heads, value_heads, size, kernel):
    """A gated DeltaNet."""
    inner = value_heads * size
    channels = 2 * key_heads * size + inner
    model.matrix(f"blk.{block}.attn_qkv", channels, width)
    model.matrix(f"blk.{block}.attn_gate", inner, width)
    model.matrix(f"blk.{block}.ssm_beta", value_heads, width)
    model.matrix(f"blk.{block}.ssm_alpha", value_heads, width)
    model.tensor(f"blk.{block}.ssm_conv1d.weight", model.dice.between(-1, 1, channels * kernel).reshape(channels, kernel))
    steps = np.exp(model.dice.between(np.log(0.02), np.log(0.3), value_heads))
    model.tensor(f"blk.{block}.ssm_dt.bias", np.log(np.expm1(steps)))
    model.tensor(f"blk.{block}.ssm_a", model.dice.between(-4.0, -0.5, value_heads))
    model.norm(f"blk.{block}.ssm_norm", size)
    model.matrix(f"blk.{block}.ssm_out", width, inner, gain=MIXER)


def qwen35moe(model, layers=4, width=WIDTH, experts=16, used=4, hidden=32):
    """Every second layer attention with a gate, the others gated DeltaNets; a shared expert beside the others."""
    heads, kv_heads, size, interval = 4, 2, 32, 2
    key_heads, value_heads, state, kernel = 2, 4, 32, 4
    head_keys(model, heads, kv_heads, size, 1e7)
    routed_keys(model, experts, used, hidden)
    model.keys(expert_shared_feed_forward_length=hidden, full_attention_interval=interval)
    model.key("rope.dimension_count", 16)
    model.key("rope.dimension_sections", [3, 3, 2, 0])
    for name, value in (("conv_kernel", kernel), ("inner_size", value_heads * state), ("state_size", state),
                        ("time_step_rank", value_heads), ("group_count", key_heads)):  # fmt: skip
        model.key(f"ssm.{name}", value)
    trunk(model, layers, width, "qwen35")
    for block in range(layers):
        model.norm(f"blk.{block}.attn_norm", width)
        if (block + 1) % interval == 0:
            attention(model, block, width, 2 * heads * size, kv_heads * size, size, size, heads * size)
        else:
            delta_net(model, block, width, key_heads, value_heads, state, kernel)
        model.norm(f"blk.{block}.post_attention_norm", width)
        routed(model, block, width, experts, hidden)
        model.tensor(f"blk.{block}.ffn_gate_inp_shexp.weight", model.drawn((width,), 1.0, 1))
        model.matrix(f"blk.{block}.ffn_gate_shexp", hidden, width)
        model.matrix(f"blk.{block}.ffn_up_shexp", hidden, width)
        model.matrix(f"blk.{block}.ffn_down_shexp", width, hidden, gain=DOWN)


ARCHITECTURES = {build.__name__: build for build in (qwen3moe, qwen35moe, olmoe)}
