#include "app/report/least_disturbed.h"

#include <chrono>

namespace spillway {

Result<LeastDisturbed> least_disturbed(FunctionRef<Result<Report>()> run) {
  constexpr uint32_t kMostRuns = 6;
  constexpr std::chrono::seconds kPatience{20};
  const auto begun = std::chrono::steady_clock::now();
  Result<Report> first = run();
  if (!first) {
    return propagate(first);
  }
  LeastDisturbed best{std::move(*first)};
  while (is_disturbed(best.report) && best.runs < kMostRuns &&
         std::chrono::steady_clock::now() - begun < kPatience) {
    Result<Report> again = run();
    if (!again) {
      return propagate(again);
    }
    ++best.runs;
    if (stolen_share(*again) < stolen_share(best.report)) {
      best.report = std::move(*again);
    }
  }
  return best;
}

}  // namespace spillway
