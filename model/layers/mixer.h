#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/engine.h"

namespace spillway {

// Working memory of the mixers. Layers run one after the other, so all of them share one set. With a set of
// its own, each layer would keep the memory of its largest batch: a gigabyte over 48 layers.
struct MixerScratch {
  std::array<AlignedBytes, 5> rows;            // [tokens][…], one for each projection
  AlignedBytes scores;                         // [thread][context]
  std::vector<std::pair<float, float>> turns;  // [tokens][pairs] cosine and sine
  Activations mixed;                           // input of the output projection
};

// The part of a layer that works across the tokens of a sequence and remembers earlier tokens: attention or a
// recurrence. It handles one sequence at a time.
struct Mixer {
  virtual ~Mixer() = default;

  // Begins a sequence: forgets all earlier tokens.
  virtual void reset() = 0;

  // Computes y[t] = mix(h[0 … t] and all earlier tokens) for tokens at positions position, position + 1, …; y
  // is [tokens][h.columns()].
  virtual void forward(Engine& engine, MixerScratch& scratch, Activations& h, uint32_t position,
                       float* y) = 0;

  // Returns the bytes that remembering `positions` tokens takes.
  virtual uint64_t state_bytes(uint32_t positions) const = 0;

  // Estimates the bytes of MixerScratch that a batch of `tokens` tokens uses.
  virtual uint64_t scratch_bytes(uint32_t tokens) const = 0;
};

}  // namespace spillway
