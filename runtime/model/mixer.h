#pragma once

#include <cstdint>

#include "runtime/model/engine.h"

namespace spillway {

// What a layer does across the tokens of a sequence, with its memory of the tokens before: attention, or a
// recurrence. One sequence at a time.
struct Mixer {
  virtual ~Mixer() = default;

  // Begins a sequence: nothing is remembered.
  virtual void reset() = 0;

  // y[t] = mix(h[0 … t] and all before), for tokens at positions position, position + 1, …; y is
  // [tokens][h.columns()].
  virtual void forward(Engine& engine, Activations& h, uint32_t position, float* y) = 0;

  // Of its memory, as far as `positions` tokens are.
  virtual uint64_t state_bytes(uint32_t positions) const = 0;
};

}  // namespace spillway
