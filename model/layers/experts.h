#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ports.h"
#include "model/engine.h"

namespace spillway {

// The matrices of one expert, wherever its bytes are at the moment.
struct ExpertMatrices {
  Matrix gate;  // ff × width
  Matrix up;    // ff × width
  Matrix down;  // width × ff
};

// How the experts of one layer lie in a store: their parts one after the other, each a range of its own or
// all in one.
class ExpertLayout {
 public:
  // `shapes` without data; fused: gate and up are one range.
  explicit ExpertLayout(const ExpertMatrices& shapes, bool fused) : shapes_(shapes), fused_(fused) {}

  // Views of an expert whose store has one range for each part or one for all.
  ExpertMatrices view(ExpertBytes bytes) const;

  uint64_t bytes() const;  // of one expert
  const ExpertMatrices& shapes() const { return shapes_; }

 private:
  ExpertMatrices shapes_;
  bool fused_;
};

// An expert of a layer that every token uses, weighted by a gate of its own.
struct SharedExpert {
  ExpertMatrices matrices;
  std::span<const float> gate;  // [width]
};

// down · (silu(gate · h) * (up · h)) for the tokens of a step, one expert at a time.
class FeedForward {
 public:
  explicit FeedForward(Engine& engine) : engine_(engine) {}

  // `rows`: which tokens of `h`. Their results are put one behind the other at `out`, [rows.size()][width].
  void run(const ExpertMatrices& expert, Activations& h, std::span<const uint32_t> rows, float* out);

 private:
  const std::byte* gather(const Matrix& weights, Activations& h, std::span<const uint32_t> rows,
                          AlignedBytes& into);

  Engine& engine_;
  AlignedBytes gathered_;     // quantized rows of h for gate
  AlignedBytes gathered_up_;  // and for up, where its type wants another form
  AlignedBytes up_;           // [rows][ff]
  Activations hidden_;        // [rows][ff]
};

}  // namespace spillway
