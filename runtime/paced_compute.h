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
  Nanoseconds per_layer{0};  // fixed: expert FFNs of one layer together; attention takes no time of its own
};

// `none`, `recorded`, `0.5x` (recorded times scaled) or `2ms` (per layer).
Result<ComputePace> parse_compute(std::string_view text);
std::string describe(const ComputePace& pace);

// Paces a run: attention before the experts are known, then one expert after the other as each becomes ready,
// the layer's time divided among them. Refused when the pace is recorded and the source has no times.
Result<std::unique_ptr<Compute>> make_paced_compute(const ComputePace& pace, const SourceInfo& source);

}  // namespace spillway
