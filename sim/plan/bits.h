#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace spillway::plan {

// Bits that one weight takes, its share of scales and offsets included. A quantizer that gives each group of
// 64 weights a 16-bit scale and a 16-bit offset, as MLX does, adds half a bit: its 4-bit type takes 4.5 bits.
struct BitWidths {
  double expert = 4.5;
  double expert_resident = 0;  // the part of `expert` that stays in memory while the rest is streamed
  double mixer = 4.5;
  double shared_ffn = 4.5;
  double router = 4.5;
  double embedding = 4.5;
  double head = 4.5;
  double kv = 16;     // of a key or a value
  double state = 32;  // of a value of a recurrent state, or of a norm

  // Sets the widths of everything but experts, keys, values and state.
  void set_rest(double bits);
};

// Returns the widths for experts of `bits` bits (2 to 8, or 16). Everything else has the same width, but at
// least 4 bits, at which the loss is unnoticeable; it is a fraction of the bytes. This is the static rule
// that streaming projects use.
Result<BitWidths> named_bits(uint32_t bits);

// Parses `2`, `2,head=8.5,kv=8` or `experts=2.31,rest=8.5`: a named width and the differences from it. Names
// are experts, scales (of the experts, resident), rest, mixer, shared, router, embedding, head, kv, state. A
// width is a number from 0 to 32.
Result<BitWidths> parse_bits(const std::string& text);

// Describes the widths: those of the experts, then the one of the rest or, if they differ, each of them.
std::string describe_bits(const BitWidths& bits);

}  // namespace spillway::plan
