#include "sim/curve/curve_summary.h"

#include "core/expects.h"

namespace spillway {

std::optional<size_t> knee(std::span<const uint64_t> curve) {
  if (curve.empty()) {
    return std::nullopt;
  }
  // Heights above the line are multiplied by the curve's length, so that they are whole numbers.
  const auto length = static_cast<__int128>(curve.size() - 1);
  const auto rise = static_cast<__int128>(curve.back()) - curve.front();
  __int128 highest = 0;
  std::optional<size_t> best;
  for (size_t i = 0; i < curve.size(); ++i) {
    const __int128 height =
        (static_cast<__int128>(curve[i]) - curve.front()) * length - rise * static_cast<__int128>(i);
    if (height > highest) {
      highest = height;
      best = i;
    }
  }
  return best;
}

MissCauses explain_misses(uint64_t misses, uint64_t belady_misses, uint64_t first_uses) {
  Expects(first_uses <= belady_misses && first_uses <= misses);
  return {first_uses, belady_misses - first_uses, int64_t(misses) - int64_t(belady_misses)};
}

}  // namespace spillway
