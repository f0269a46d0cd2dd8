#include "core/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace spillway {
namespace {

// Returns the least number of letters to insert, remove, replace or exchange with their neighbour to get from
// one word to the other.
size_t letters_apart(std::string_view from, std::string_view to) {
  std::vector<std::vector<size_t>> steps(from.size() + 1, std::vector<size_t>(to.size() + 1));
  std::iota(steps.front().begin(), steps.front().end(), 0);
  for (size_t i = 1; i <= from.size(); ++i) {
    steps[i][0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t replaced = steps[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      steps[i][j] = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
      }
    }
  }
  return steps.back().back();
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> names) {
  constexpr size_t kLongest = 100;
  const size_t most = std::max<size_t>(1, word.size() / 3);
  std::pair<size_t, const std::string*> best{most + 1, nullptr};
  for (const std::string& name : names) {
    if (std::max(word.size(), name.size()) <= kLongest) {
      best = std::min(best, std::pair(letters_apart(word, name), &name),
                      [](const auto& a, const auto& b) { return a.first < b.first; });
    }
  }
  return best.second == nullptr ? std::nullopt : std::optional(*best.second);
}

std::string meant_or_all(std::string_view word, std::span<const std::string> names) {
  if (const std::optional<std::string> meant = nearest_name(word, names)) {
    return "; did you mean '" + *meant + "'?";
  }
  std::string all;
  for (const std::string& name : names) {
    all += (all.empty() ? "" : ", ") + name;
  }
  return "; there are: " + (all.empty() ? "none" : all);
}

}  // namespace spillway
