#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/ports.h"

namespace spillway {

// Duration of the arithmetic in a run that does not really compute.
struct ComputePace {
  enum class Kind { none, recorded, fixed };
  Kind kind = Kind::none;
  double scale = 1.0;        // recorded: factor on the recorded times
  Nanoseconds attention{0};  // fixed: attention of one layer, before its experts are known
  Nanoseconds experts{0};    // fixed: the FFNs of one layer's experts together
};

// Parses `none`, `recorded`, `0.5x` (recorded times scaled), `2ms` (a layer's experts) or `0.5ms+1.5ms` (a
// layer's attention and its experts).
Result<ComputePace> parse_compute(std::string_view text);
std::string describe(const ComputePace& pace);

// Returns the mean compute time of a layer of `source` between the last of its own reads and the first read
// of the next layer: one of its experts, and the next layer's attention.
Result<Nanoseconds> between_reads(const ComputePace& pace, StepSource& source);

// Makes the compute of a paced run: attention before the experts are known, then one expert after the other
// as each becomes ready, with the layer's time divided evenly among them. Fails if the pace is recorded and
// the source has no times.
Result<std::unique_ptr<Compute>> make_paced_compute(const ComputePace& pace, const SourceInfo& source);

}  // namespace spillway
