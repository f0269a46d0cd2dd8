#include "model/layers/experts.h"

#include <array>
#include <cstring>

#include "core/expects.h"

namespace spillway {
namespace {

uint64_t bytes_of(const Matrix& matrix) {
  return matrix.rows * matrix.row_bytes;
}

}  // namespace

uint64_t ExpertLayout::bytes() const {
  return bytes_of(shapes_.gate) + bytes_of(shapes_.up) + bytes_of(shapes_.down);
}

ExpertMatrices ExpertLayout::view(ExpertBytes bytes) const {
  ExpertMatrices expert = shapes_;
  const std::array<Matrix*, 3> parts = {&expert.gate, &expert.up, &expert.down};
  size_t range = 0;
  uint64_t at = 0;
  for (Matrix* part : parts) {
    Expects(range < bytes.size() && at + bytes_of(*part) <= bytes[range].size());
    part->data = bytes[range].data() + at;
    at += bytes_of(*part);
    const bool goes_on = bytes.size() == 1 || (fused_ && part == &expert.gate);
    if (!goes_on) {
      ++range;
      at = 0;
    }
  }
  return expert;
}

// Returns the given rows of `h`, in the form that `weights` is multiplied with. Copies them to `into` unless
// they are all rows.
const std::byte* FeedForward::gather(const Matrix& weights, Activations& h, std::span<const uint32_t> rows,
                                     AlignedBytes& into) {
  const ActivationType type = activation_type(weights.type);
  const std::byte* all = h.as(type, engine_);
  if (rows.size() == h.tokens()) {
    return all;
  }
  const size_t bytes = activation_bytes(type, h.columns());
  into.resize(rows.size() * bytes);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(into.data() + i * bytes, all + rows[i] * bytes, bytes);
  }
  return into.data();
}

void FeedForward::run(const ExpertMatrices& expert, Activations& h, std::span<const uint32_t> rows,
                      float* out) {
  const auto tokens = uint32_t(rows.size());
  const uint32_t width = expert.gate.rows;
  const std::byte* for_gate = gather(expert.gate, h, rows, gathered_);
  const bool same_form = activation_type(expert.gate.type) == activation_type(expert.up.type);
  const std::byte* for_up = same_form ? for_gate : gather(expert.up, h, rows, gathered_up_);
  hidden_.reshape(tokens, width);
  up_.resize(size_t{tokens} * width * sizeof(float));

  const Kernels& k = engine_.k();
  const Pieces pieces(width, 32, engine_.threads());
  engine_.pool().run(pieces.count(), [&](uint32_t piece, unsigned) {
    const RowRange part = pieces.at(piece);
    k.multiply(expert.gate, part.first, part.last, for_gate, tokens, hidden_.row(0), width);
    k.multiply(expert.up, part.first, part.last, for_up, tokens, up_.floats(), width);
    for (uint32_t token = 0; token < tokens; ++token) {
      float* gate = hidden_.row(token) + part.first;
      k.silu_multiply(gate, up_.floats() + size_t{token} * width + part.first, gate, part.last - part.first);
    }
  });
  engine_.multiply(expert.down, hidden_, out, expert.down.rows);
}

}  // namespace spillway
