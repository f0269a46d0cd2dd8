#include "sim/plan/model_bytes.h"

#include <algorithm>
#include <cmath>

namespace spillway::plan {
namespace {

uint64_t bytes_of(uint64_t weights, double bits) {
  return uint64_t(std::llround(double(weights) * bits / 8));
}

// With a latent, every head reads the same latent vector.
double heads_per_kv(const Attention& shape) {
  return shape.latent != 0 ? shape.heads : double(shape.heads) / shape.kv_heads;
}

}  // namespace

uint64_t ModelBytes::resident() const {
  return embedding + (tied_head ? 0 : head) + mixer + shared_ffn + router_and_norms +
         expert_count() * expert_scales;
}

uint64_t ModelBytes::context(uint64_t tokens) const {
  return tokens * full_kv_per_token + std::min(tokens, window) * window_kv_per_token + state;
}

ModelBytes model_bytes(const ModelShape& shape, const BitWidths& bits) {
  const Parameters count = count_parameters(shape);
  ModelBytes model;
  model.name = shape.name;
  model.layers = shape.layers;
  model.moe_layers = shape.moe_layers();
  model.experts_per_layer = shape.experts;
  model.top_k = shape.top_k;
  model.embedding = bytes_of(count.embedding, bits.embedding);
  model.tied_head = shape.tied_head;
  model.head = shape.tied_head ? model.embedding : bytes_of(count.head, bits.head);
  model.mixer = bytes_of(count.mixer, bits.mixer);
  model.shared_ffn = bytes_of(count.shared_ffn, bits.shared_ffn);
  model.router_and_norms = bytes_of(count.router, bits.router) + bytes_of(count.norms, bits.state);
  model.expert = bytes_of(count.expert, bits.expert - bits.expert_resident);
  model.expert_scales = bytes_of(count.expert, bits.expert_resident);
  model.resident_weights = active_parameters(shape, 0);
  model.expert_weights = count.expert;
  model.full_kv_per_token = bytes_of(full_kv_values(shape), bits.kv);
  model.window_kv_per_token = bytes_of(window_kv_values(shape), bits.kv);
  model.window = shape.window;
  model.query_heads_per_kv = heads_per_kv(shape.attention);
  model.state = bytes_of(state_values(shape), bits.state);
  return model;
}

TokenTraffic token_traffic(const ModelBytes& model, uint32_t top_k, uint64_t context) {
  const uint64_t used = uint64_t(model.moe_layers) * top_k;
  TokenTraffic traffic;
  traffic.weights =
      model.head + model.mixer + model.shared_ffn + model.router_and_norms + used * model.expert_scales;
  traffic.experts = used * model.expert;
  traffic.kv = model.context(context) - model.state;
  traffic.state = 2 * model.state;
  traffic.multiplications = model.resident_weights + used * model.expert_weights;
  return traffic;
}

}  // namespace spillway::plan
