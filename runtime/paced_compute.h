#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/ports.h"

namespace spillway {

// How long the arithmetic takes when it is not really done.
struct ComputePace {
  enum class Kind { none, recorded, fixed };
  Kind kind = Kind::none;
  double scale = 1.0;        // recorded: times this
  Nanoseconds attention{0};  // fixed: of one layer, before its experts are known
  Nanoseconds experts{0};    // fixed: the FFNs of one layer's experts together
};

// `none`, `recorded`, `0.5x` (recorded times scaled), `2ms` (a layer's experts) or `0.5ms+1.5ms` (its
// attention and its experts).
Result<ComputePace> parse_compute(std::string_view text);
std::string describe(const ComputePace& pace);

// What a layer of `source` computes, on the mean, between the last of its own reads and the first of the next
// layer's: one of its experts, and the next one's attention.
Result<Nanoseconds> between_reads(const ComputePace& pace, StepSource& source);

// Paces a run: attention before the experts are known, then one expert after the other as each becomes ready,
// the layer's time divided among them. Refused when the pace is recorded and the source has no times.
Result<std::unique_ptr<Compute>> make_paced_compute(const ComputePace& pace, const SourceInfo& source);

}  // namespace spillway
