#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/engine.h"

namespace spillway {

// Room that a mixer works in. Layers come one after the other, so one set serves all of them; of their own
// each would keep what its largest batch took, which on 48 layers is a gigabyte.
struct MixerScratch {
  std::array<AlignedBytes, 5> rows;            // [tokens][…], one for each projection
  AlignedBytes scores;                         // [thread][context]
  std::vector<std::pair<float, float>> turns;  // [tokens][pairs] cosine and sine
  Activations mixed;                           // what the output projection is given
};

// What a layer does across the tokens of a sequence, with its memory of the tokens before: attention, or a
// recurrence. One sequence at a time.
struct Mixer {
  virtual ~Mixer() = default;

  // Begins a sequence: nothing is remembered.
  virtual void reset() = 0;

  // y[t] = mix(h[0 … t] and all before), for tokens at positions position, position + 1, …; y is
  // [tokens][h.columns()].
  virtual void forward(Engine& engine, MixerScratch& scratch, Activations& h, uint32_t position,
                       float* y) = 0;

  // Of its memory, as far as `positions` tokens are.
  virtual uint64_t state_bytes(uint32_t positions) const = 0;

  // What a batch of `tokens` makes of the scratch, about.
  virtual uint64_t scratch_bytes(uint32_t tokens) const = 0;
};

}  // namespace spillway
