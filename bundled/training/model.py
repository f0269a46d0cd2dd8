"""The model: a decoder in Qwen3-MoE's shape, small enough for a CPU."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

NORM_EPSILON = 1e-6
ROPE_BASE = 10000.0


@dataclass(frozen=True)
class Shape:
    """The model's sizes; the defaults are those of the bundled model."""

    vocabulary: int = 4096
    hidden: int = 128
    layers: int = 12
    heads: int = 4
    kv_heads: int = 2
    experts: int = 128
    top_k: int = 8
    expert_ffn: int = 32

    @property
    def head_dim(self) -> int:
        """Returns the size of a head; heads share the hidden size evenly."""
        return self.hidden // self.heads

    def problem(self) -> str:
        """Returns what is wrong with the sizes, or an empty text."""
        if min(vars(self).values()) < 1:
            return "every size must be 1 or more"
        if self.hidden % (2 * self.heads):
            return (f"hidden size {self.hidden} must be a multiple of twice "
                    f"the {self.heads} heads")
        if self.heads % self.kv_heads:
            return (f"{self.heads} heads cannot share {self.kv_heads} KV "
                    "heads evenly")
        if self.top_k > self.experts:
            return f"top_k {self.top_k} is above the {self.experts} experts"
        return ""


class RmsNorm(nn.Module):
    """Scales each vector to a root mean square of the learnt weight."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        """Normalises over the last dimension."""
        mean_square = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(mean_square + NORM_EPSILON) * self.weight


class Rotation:
    """Rotary position embedding, and the mask of future positions."""

    def __init__(self, window, head_dim):
        steps = torch.arange(0, head_dim, 2).float() / head_dim
        angles = torch.outer(torch.arange(window).float(),
                             1.0 / (ROPE_BASE ** steps))
        self.cosines = torch.cat([angles.cos()] * 2, -1)
        self.sines = torch.cat([angles.sin()] * 2, -1)
        self.future = torch.full((window, window), float("-inf")).triu(1)

    def __call__(self, x):
        """Rotates (batch, head, position, dimension); halves are pairs."""
        length = x.shape[2]
        first, second = x.chunk(2, -1)
        turned = torch.cat([-second, first], -1)
        return x * self.cosines[:length] + turned * self.sines[:length]


class Attention(nn.Module):
    """Causal attention, normed queries and keys, shared KV heads."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        kv_size = shape.kv_heads * shape.head_dim
        self.q = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.k = nn.Linear(shape.hidden, kv_size, bias=False)
        self.v = nn.Linear(shape.hidden, kv_size, bias=False)
        self.output = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.q_norm = RmsNorm(shape.head_dim)
        self.k_norm = RmsNorm(shape.head_dim)

    def forward(self, x, rotation):
        """Mixes into each position the positions up to it."""
        batch, length, _ = x.shape
        size = self.shape.head_dim
        heads = (batch, length, -1, size)
        q = rotation(self.q_norm(self.q(x).view(heads)).transpose(1, 2))
        k = rotation(self.k_norm(self.k(x).view(heads)).transpose(1, 2))
        v = self.v(x).view(heads).transpose(1, 2)
        sharing = self.shape.heads // self.shape.kv_heads
        k = k.repeat_interleave(sharing, 1)
        v = v.repeat_interleave(sharing, 1)
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(size)
        weights = (scores + rotation.future[:length, :length]).softmax(-1)
        mixed = (weights @ v).transpose(1, 2)
        return self.output(mixed.reshape(batch, length, -1))


class IntoSlots(torch.autograd.Function):
    """Copies rows of x into slots; a row may go to several slots."""

    # The gradients here and in OutOfSlots are written by hand: no slot is
    # used twice, so a copy suffices where autograd would add to zeros.

    @staticmethod
    def forward(context, x, rows, slots, slot_count):
        """Fills the slots; those without a row are zero."""
        context.save_for_backward(rows, slots)
        context.row_count = x.shape[0]
        result = x.new_zeros(slot_count, x.shape[1])
        return result.index_copy_(0, slots, x.index_select(0, rows))

    @staticmethod
    def backward(context, gradient):
        """Gives each row the sum of its slots' gradients."""
        rows, slots = context.saved_tensors
        result = gradient.new_zeros(context.row_count, gradient.shape[1])
        result.index_add_(0, rows, gradient.index_select(0, slots))
        return result, None, None, None


class OutOfSlots(torch.autograd.Function):
    """Picks slots, each at most once."""

    @staticmethod
    def forward(context, y, slots):
        """Returns the rows of the slots, in the order of `slots`."""
        context.save_for_backward(slots)
        context.shape = y.shape
        return y.index_select(0, slots)

    @staticmethod
    def backward(context, gradient):
        """Gives the picked slots their gradients, all others zero."""
        slots, = context.saved_tensors
        result = gradient.new_zeros(context.shape)
        return result.index_copy_(0, slots, gradient), None


class Experts(nn.Module):
    """The router and the experts of one layer."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        experts, hidden, ffn = shape.experts, shape.hidden, shape.expert_ffn
        self.router = nn.Linear(hidden, experts, bias=False)
        self.gate_up = nn.Parameter(
            torch.randn(experts, hidden, 2 * ffn) * hidden**-0.5)
        # The more experts and layers add to the stream, the smaller they are.
        self.down = nn.Parameter(
            torch.randn(experts, ffn, hidden) * ffn**-0.5
            / math.sqrt(2 * shape.layers) / math.sqrt(shape.top_k) * 2)

    def forward(self, x):
        """Returns the chosen experts' weighted sum and their imbalance."""
        chances = self.router(x).softmax(-1)
        weights, chosen = chances.topk(self.shape.top_k, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        picks = chosen.reshape(-1)
        loads = torch.bincount(picks, minlength=self.shape.experts)

        kept, slots, capacity = self._assign(picks, loads)
        tokens = kept // self.shape.top_k
        y = self._feed_forward(x, tokens, slots, capacity)
        weighted = (OutOfSlots.apply(y, slots)
                    * weights.reshape(-1)[kept][:, None])
        mixed = torch.zeros_like(x).index_add(0, tokens, weighted)

        shares = loads.float() / len(picks)
        imbalance = self.shape.experts * (shares * chances.mean(0)).sum()
        return mixed, imbalance

    def _assign(self, picks, loads):
        """Returns the kept picks, their slots and the slots per expert."""
        # All experts are one batched product, each padded to the same number
        # of rows. Picks above twice the mean are dropped; otherwise one
        # popular expert would make all others as expensive as itself.
        experts = self.shape.experts
        capacity = int(min(loads.max().item(), 2 * len(picks) // experts))
        order = picks.argsort(stable=True)  # by expert, then by token
        expert = picks[order]
        first = loads.cumsum(0) - loads
        place = torch.arange(len(picks)) - first[expert]
        fits = place < capacity
        return order[fits], (expert * capacity + place)[fits], capacity

    def _feed_forward(self, x, tokens, slots, capacity):
        """Applies every expert to the tokens in its slots."""
        experts, hidden, _ = self.gate_up.shape
        slotted = IntoSlots.apply(x, tokens, slots, experts * capacity)
        inner = slotted.view(experts, capacity, hidden) @ self.gate_up
        gate, up = inner.chunk(2, -1)
        y = torch.bmm(F.silu(gate) * up, self.down)
        return y.view(experts * capacity, hidden)


class Block(nn.Module):
    """One layer: attention, then experts."""

    def __init__(self, shape):
        super().__init__()
        self.attention_norm = RmsNorm(shape.hidden)
        self.attention = Attention(shape)
        self.experts_norm = RmsNorm(shape.hidden)
        self.experts = Experts(shape)

    def forward(self, x, rotation):
        """Adds both to the stream; returns it and the experts' imbalance."""
        x = x + self.attention(self.attention_norm(x), rotation)
        rows = self.experts_norm(x).view(-1, x.shape[-1])
        y, imbalance = self.experts(rows)
        return x + y.view(x.shape), imbalance


class LanguageModel(nn.Module):
    """Token ids to logits, for windows of at most `window` tokens."""

    def __init__(self, shape, window):
        super().__init__()
        self.shape = shape
        self.rotation = Rotation(window, shape.head_dim)
        self.embedding = nn.Embedding(shape.vocabulary, shape.hidden)
        self.blocks = nn.ModuleList(
            Block(shape) for _ in range(shape.layers))
        self.norm = RmsNorm(shape.hidden)
        self.head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)
        self._initialise()

    def _initialise(self):
        """Sets weights with which all layers' outputs begin near unit size."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=self.shape.hidden**-0.5)
        nn.init.normal_(self.embedding.weight, std=0.5)
        for block in self.blocks:
            block.attention.output.weight.data /= math.sqrt(
                2 * self.shape.layers)
        self.head.weight.data *= 0.3

    def forward(self, tokens):
        """Returns logits, and the experts' mean imbalance over the layers."""
        x = self.embedding(tokens)
        total = 0
        for block in self.blocks:
            x, imbalance = block(x, self.rotation)
            total = total + imbalance
        return self.head(self.norm(x)), total / self.shape.layers
