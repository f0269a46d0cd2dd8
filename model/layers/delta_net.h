#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "model/layers/mixer.h"

namespace spillway {

struct DeltaNetShape {
  uint32_t key_heads = 0;
  uint32_t value_heads = 0;  // value head i works with key head i mod key_heads
  uint32_t head_size = 0;    // of keys and of values
  uint32_t kernel = 0;       // tokens that the convolution sees, this one included
  float epsilon = 1e-6F;
};

struct DeltaNetWeights {
  Matrix qkv;   // rows: [q: key_heads × head_size | k: the same | v: value_heads × head_size]
  Matrix gate;  // z, value_heads × head_size
  Matrix beta;  // value_heads
  Matrix alpha;
  Matrix output;
  std::span<const float> convolution;  // [channels of qkv][kernel]; the last entry is for the current token
  std::span<const float> time_bias;    // [value_heads]
  std::span<const float> decay;        // [value_heads], negative
  std::span<const float> norm;         // [head_size]
};

// Makes a gated DeltaNet (Yang, Kautz, Hatamizadeh: "Gated Delta Networks: Improving Mamba2 with Delta Rule",
// 2024) as Qwen3.5 has it: linear attention whose memory is one matrix per head, however long the text.
std::unique_ptr<Mixer> make_delta_net(const DeltaNetWeights& weights, const DeltaNetShape& shape);

}  // namespace spillway
