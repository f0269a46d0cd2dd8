#include "sim/plan/model_shape.h"

#include <utility>

namespace spillway::plan {
namespace {

uint64_t product(uint64_t a, uint64_t b) {
  return a * b;
}

uint64_t latent_attention(const Attention& shape, uint64_t hidden) {
  const uint64_t query_width = product(shape.heads, shape.head_size + shape.rope_size);
  const uint64_t query = shape.query_rank == 0 ? hidden * query_width
                                               : hidden * shape.query_rank + shape.query_rank * query_width;
  const uint64_t down = hidden * (shape.latent + shape.rope_size);
  const uint64_t up = product(shape.latent, shape.heads) * (shape.head_size + shape.value_size);
  return query + down + up + product(shape.heads, shape.value_size) * hidden;
}

uint64_t attention_parameters(const Attention& shape, uint64_t hidden) {
  if (shape.latent != 0) {
    return latent_attention(shape, hidden);
  }
  const uint64_t width = product(shape.heads, shape.head_size);
  const uint64_t kv_width = product(shape.kv_heads, shape.head_size);
  return hidden * (width * (shape.gated ? 2 : 1) + kv_width * (shape.key_value ? 1 : 2) + width);
}

uint64_t convolved_channels(const LinearAttention& shape) {
  return product(2 * shape.key_heads + shape.value_heads, shape.head_size);
}

// Counts the matrices of queries, keys and values, the output's gate, a decay and a rate for
// each head, and the output.
uint64_t linear_parameters(const LinearAttention& shape, uint64_t hidden) {
  const uint64_t value_width = product(shape.value_heads, shape.head_size);
  return hidden * (convolved_channels(shape) + value_width + 2 * shape.value_heads + value_width);
}

uint64_t kv_values(const Attention& shape) {
  return shape.latent != 0 ? shape.latent + shape.rope_size : 2 * product(shape.kv_heads, shape.head_size);
}

uint64_t mixer_parameters(const ModelShape& shape) {
  const uint64_t full = shape.full_layers() * attention_parameters(shape.attention, shape.hidden);
  const uint64_t other = shape.linear ? linear_parameters(*shape.linear, shape.hidden)
                                      : attention_parameters(shape.window_attention, shape.hidden);
  return full + shape.other_layers() * other;
}

// No known model has a larger size, except for its vocabulary. Results computed from such sizes, products of
// up to three of them times at most 1000 layers, stay below 2^63.
constexpr uint32_t kMostSize = 1U << 16;

Result<void> validate_attention(const char* key, const Attention& shape) {
  if (shape.heads == 0 || shape.head_size == 0 || (shape.latent == 0 && shape.kv_heads == 0)) {
    return failed("'{}' must have 'heads', a 'head_size', and 'kv_heads' or a 'latent'", key);
  }
  for (const uint32_t value : {shape.heads, shape.kv_heads, shape.head_size, shape.latent, shape.query_rank,
                               shape.rope_size, shape.value_size}) {
    if (value > kMostSize) {
      return failed("the sizes of '{}' must be at most {}", key, kMostSize);
    }
  }
  return {};
}

}  // namespace

Result<void> ModelShape::validate() const {
  for (const auto& [key, value] : {std::pair<const char*, uint32_t>{"layers", layers},
                                   {"hidden", hidden},
                                   {"experts_per_layer", experts},
                                   {"top_k", top_k},
                                   {"expert_ffn", expert_ffn},
                                   {"full_attention_every", full_every}}) {
    if (value == 0 || value > kMostSize) {
      return failed("'{}' must be from 1 to {}", key, kMostSize);
    }
  }
  constexpr uint32_t kMostWords = 1U << 20;
  if (vocabulary == 0 || vocabulary > kMostWords) {
    return failed("'vocabulary' must be from 1 to {}", kMostWords);
  }
  if (dense_ffn > kMostSize || shared_ffn > kMostSize) {
    return failed("'dense_ffn' and 'shared_ffn' must be at most {}", kMostSize);
  }
  if (layers > 1000 || experts > 4096 || top_k > experts || dense_layers >= layers || full_every > layers) {
    return failed("{} layers, {} of them dense, and {} of {} experts at a time are impossible or too many",
                  layers, dense_layers, top_k, experts);
  }
  if (Result<void> sane = validate_attention("attention", attention); !sane) {
    return sane;
  }
  if (linear) {
    for (const uint32_t value : {linear->key_heads, linear->value_heads, linear->head_size, linear->kernel}) {
      if (value == 0 || value > kMostSize) {
        return failed("the sizes of 'linear_attention' must be from 1 to {}", kMostSize);
      }
    }
  }
  if (full_every > 1 && !linear && window == 0) {
    return failed("'full_attention_every' is {}: the other layers need 'linear_attention' or a 'window'",
                  full_every);
  }
  return window == 0 ? Result<void>() : validate_attention("window", window_attention);
}

uint64_t Parameters::total() const {
  return embedding + head + mixer + shared_ffn + router + norms + experts;
}

Parameters count_parameters(const ModelShape& shape) {
  const uint64_t hidden = shape.hidden;
  Parameters count;
  count.embedding = hidden * shape.vocabulary;
  count.head = shape.tied_head ? 0 : count.embedding;
  count.mixer = mixer_parameters(shape);
  count.shared_ffn =
      3 * hidden *
      (product(shape.moe_layers(), shape.shared_ffn) + product(shape.dense_layers, shape.dense_ffn));
  count.router = hidden * product(shape.moe_layers(), shape.experts);
  count.norms = hidden * (2 * shape.layers + 1);
  if (shape.linear) {
    count.norms += shape.other_layers() * shape.linear->kernel * convolved_channels(*shape.linear);
  }
  count.expert = 3 * hidden * shape.expert_ffn + (shape.expert_bias ? 2 * shape.expert_ffn + hidden : 0);
  count.experts = count.expert * product(shape.moe_layers(), shape.experts);
  return count;
}

uint64_t active_parameters(const ModelShape& shape, uint32_t top_k) {
  const Parameters count = count_parameters(shape);
  const uint64_t head = shape.tied_head ? count.embedding : count.head;
  return head + count.mixer + count.shared_ffn + count.router + count.norms +
         count.expert * product(shape.moe_layers(), top_k);
}

uint64_t full_kv_values(const ModelShape& shape) {
  return shape.full_layers() * kv_values(shape.attention);
}

uint64_t window_kv_values(const ModelShape& shape) {
  return shape.window == 0 ? 0 : shape.other_layers() * kv_values(shape.window_attention);
}

uint64_t state_values(const ModelShape& shape) {
  if (!shape.linear) {
    return 0;
  }
  const uint64_t matrices =
      product(shape.linear->value_heads, shape.linear->head_size) * shape.linear->head_size;
  return shape.other_layers() * (matrices + (shape.linear->kernel - 1) * convolved_channels(*shape.linear));
}

}  // namespace spillway::plan
