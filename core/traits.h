#pragma once

#include <cstdint>

namespace spillway {

// The eviction rules whose miss-ratio curve can be computed directly, without a pager (sim/curve/).
enum class EvictionRule : uint8_t { other, least_recent, first_in, least_frequent, farthest_next_use };

// Facts about a plug-in that follow from its name and options, before anything is made or opened. Code
// that needs such a fact reads the trait and never searches the plug-in's name. Most plug-ins have
// none of these traits.
struct Traits {
  bool does_nothing = false;  // proposes nothing, or reads nothing: the family's baseline
  bool is_random = false;     // another seed gives another run
  bool knows_future = false;  // decides by steps that are still to come: a bound for real policies
  uint32_t lookahead = 0;  // number of next layers whose predictions a live model has to make for the plug-in
  EvictionRule rule = EvictionRule::other;
  bool is_direct = false;      // reads past the page cache
  bool is_staged = false;      // copies the whole store into memory before the first read
  bool needs_profile = false;  // interpolates the measurements of a device profile
};

}  // namespace spillway
