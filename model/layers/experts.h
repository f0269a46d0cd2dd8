#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ports.h"
#include "model/engine.h"

namespace spillway {

// The matrices of one expert, as views of its bytes, wherever these are.
struct ExpertMatrices {
  Matrix gate;  // ff × width
  Matrix up;    // ff × width
  Matrix down;  // width × ff
};

// The layout of one layer's experts in a store: gate, up and down one after the other, each in a range of its
// own or all in one range.
class ExpertLayout {
 public:
  // `shapes` are matrices without data. `fused`: gate and up share one range.
  explicit ExpertLayout(const ExpertMatrices& shapes, bool fused) : shapes_(shapes), fused_(fused) {}

  // Returns views of the expert at `bytes`, which has one range for each part or one for all parts.
  ExpertMatrices view(ExpertBytes bytes) const;

  uint64_t bytes() const;  // of one expert
  const ExpertMatrices& shapes() const { return shapes_; }

 private:
  ExpertMatrices shapes_;
  bool fused_;
};

// An expert that every token uses, weighted by a gate of its own.
struct SharedExpert {
  ExpertMatrices matrices;
  std::span<const float> gate;  // [width]
};

// Computes one expert for the tokens of a step: down · (silu(gate · h) * (up · h)).
class FeedForward {
 public:
  explicit FeedForward(Engine& engine) : engine_(engine) {}

  // Computes the tokens `rows` of `h` and writes their results one behind the other to `out`,
  // [rows.size()][width].
  void run(const ExpertMatrices& expert, Activations& h, std::span<const uint32_t> rows, float* out);

 private:
  const std::byte* gather(const Matrix& weights, Activations& h, std::span<const uint32_t> rows,
                          AlignedBytes& into);

  Engine& engine_;
  AlignedBytes gathered_;     // quantized rows of h, for gate
  AlignedBytes gathered_up_;  // the same for up, if its type needs another form
  AlignedBytes up_;           // [rows][ff]
  Activations hidden_;        // [rows][ff]
};

}  // namespace spillway
