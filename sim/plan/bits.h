#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace spillway::plan {

// Bits that one weight takes, its share of scales and offsets included. A quantizer that gives each group of
// 64 weights a 16-bit scale and a 16-bit offset, as MLX does, adds half a bit: its 4-bit takes 4.5.
struct BitWidths {
  double expert = 4.5;
  double expert_resident = 0;  // the part of `expert` that stays in memory while the rest is streamed
  double mixer = 4.5;
  double shared_ffn = 4.5;
  double router = 4.5;
  double embedding = 4.5;
  double head = 4.5;
  double kv = 16;     // of a key or a value
  double state = 32;  // of a recurrent state's value; the norms are as wide

  // Everything but experts, keys, values and state.
  void set_rest(double bits);
};

// `bits` (2 to 8, or 16) for the experts. Everything else has as many, but at least 4, whose loss nobody
// notices and which is a fraction of the bytes: the static rule that streaming projects use.
Result<BitWidths> named_bits(uint32_t bits);

// `2`, or `2,head=8.5,kv=8`, or `experts=2.31,rest=8.5`: a named width and what differs from it. Names are
// experts, scales (of the experts, resident), rest, mixer, shared, router, embedding, head, kv, state. A
// width is a number from 0 to 32.
Result<BitWidths> parse_bits(const std::string& text);

// `experts 2.5, rest 4.5`, and what is neither.
std::string describe_bits(const BitWidths& bits);

}  // namespace spillway::plan
