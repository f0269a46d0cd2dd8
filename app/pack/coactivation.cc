#include "app/pack/coactivation.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

#include "core/for_each_step.h"

namespace spillway {
namespace {

constexpr uint32_t kNone = ~uint32_t(0);

struct Pair {
  uint32_t count = 0;
  uint32_t a = 0;
  uint32_t b = 0;
};

// Experts linked into chains. Each expert has at most two neighbours, and no chain is closed.
class Chains {
 public:
  explicit Chains(uint32_t experts) : links_(experts, {kNone, kNone}), chain_(experts) {
    std::iota(chain_.begin(), chain_.end(), 0U);
  }

  void link_if_ends(uint32_t a, uint32_t b) {
    if (links_[a][1] != kNone || links_[b][1] != kNone || root(a) == root(b)) {
      return;
    }
    links_[a][links_[a][0] == kNone ? 0 : 1] = b;
    links_[b][links_[b][0] == kNone ? 0 : 1] = a;
    chain_[root(a)] = root(b);
  }

  // Returns all experts, chain after chain.
  std::vector<uint32_t> in_order() const {
    std::vector<uint32_t> order;
    std::vector<bool> placed(links_.size());
    for (uint32_t expert = 0; expert < links_.size(); ++expert) {
      if (placed[expert]) {
        continue;
      }
      const std::array<uint32_t, 2> ends = {end(expert, links_[expert][0]), end(expert, links_[expert][1])};
      uint32_t before = kNone;
      for (uint32_t at = std::min(ends[0], ends[1]); at != kNone;) {
        placed[at] = true;
        order.push_back(at);
        at = next(std::exchange(before, at), at);
      }
    }
    return order;
  }

 private:
  uint32_t root(uint32_t expert) {
    while (chain_[expert] != expert) {
      chain_[expert] = chain_[chain_[expert]];
      expert = chain_[expert];
    }
    return expert;
  }

  // Returns the neighbour of `at` that is not `before`, or kNone at the end of the chain.
  uint32_t next(uint32_t before, uint32_t at) const {
    const std::array<uint32_t, 2>& both = links_[at];
    return both[0] == before ? both[1] : both[0];
  }

  // Returns the end of the chain that is reached from `expert` through its neighbour `at`, which may
  // be kNone.
  uint32_t end(uint32_t expert, uint32_t at) const {
    uint32_t before = expert;
    while (at != kNone) {
      const uint32_t further = next(before, at);
      before = at;
      at = further;
    }
    return before;
  }

  std::vector<std::array<uint32_t, 2>> links_;  // filled from the front
  std::vector<uint32_t> chain_;                 // union-find
};

}  // namespace

SlotTable slots_by_id(const ModelGeometry& geometry) {
  SlotTable slots(geometry.expert_count());
  for (uint32_t index = 0; index < slots.size(); ++index) {
    slots[index] = geometry.expert_of(ExpertId{index});
  }
  return slots;
}

Coactivation::Coactivation(const ModelGeometry& geometry)
    : layers_(geometry.layers),
      experts_(geometry.experts_per_layer),
      top_k_(geometry.used_top_k),
      counts_(geometry.layers * pairs()) {}

Result<Coactivation> Coactivation::start(const ModelGeometry& geometry) {
  constexpr uint64_t kMostPairs = uint64_t(1) << 27;
  const uint64_t experts = geometry.experts_per_layer;
  if (geometry.layers * (experts * (experts - 1) / 2) > kMostPairs) {
    return failed("{} layers × {} experts have too many pairs to count; use --layout id", geometry.layers,
                  geometry.experts_per_layer);
  }
  return Coactivation(geometry);
}

uint64_t Coactivation::pairs() const {
  return uint64_t(experts_) * (experts_ - 1) / 2;
}

void Coactivation::count(uint32_t layer, uint32_t a, uint32_t b) {
  const uint64_t high = std::max(a, b);
  const uint64_t low = std::min(a, b);
  uint32_t& counted = counts_[layer * pairs() + high * (high - 1) / 2 + low];
  counted += counted == kNone ? 0 : 1;
}

void Coactivation::observe(const Step& step) {
  const auto number = [this](ExpertId id) { return index_of(id) % experts_; };
  const auto same = [](uint16_t choice) { return uint32_t(choice); };
  if (step.tokens == 1) {
    observe_token<ExpertId>(step.layer, step.experts, number);
    return;
  }
  const std::span<const uint16_t> choices = step.choices;
  for (size_t first = 0; first + top_k_ <= choices.size(); first += top_k_) {
    observe_token<uint16_t>(step.layer, choices.subspan(first, top_k_), same);
  }
}

template <class T, class Number>
void Coactivation::observe_token(uint32_t layer, std::span<const T> used, Number number) {
  for (size_t i = 1; i < used.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (used[i] != used[j]) {
        count(layer, number(used[i]), number(used[j]));
      }
    }
  }
}

std::vector<uint32_t> Coactivation::chain(uint32_t layer) const {
  std::vector<Pair> used;
  const uint32_t* count = counts_.data() + layer * pairs();
  for (uint32_t b = 1; b < experts_; ++b) {
    for (uint32_t a = 0; a < b; ++a, ++count) {
      if (*count > 0) {
        used.push_back({*count, a, b});
      }
    }
  }
  std::sort(used.begin(), used.end(), [](const Pair& x, const Pair& y) {
    return std::tuple(y.count, x.a, x.b) < std::tuple(x.count, y.a, y.b);
  });
  Chains chains(experts_);
  for (const Pair& pair : used) {
    chains.link_if_ends(pair.a, pair.b);
  }
  return chains.in_order();
}

SlotTable Coactivation::slots() const {
  SlotTable slots(size_t(layers_) * experts_);
  for (uint32_t layer = 0; layer < layers_; ++layer) {
    const std::vector<uint32_t> order = chain(layer);
    for (uint32_t slot = 0; slot < experts_; ++slot) {
      slots[size_t(layer) * experts_ + order[slot]] = slot;
    }
  }
  return slots;
}

Result<double> runs_per_decode_step(StepSource& steps, const SlotTable& slots) {
  uint64_t runs = 0;
  uint64_t decode_steps = 0;
  std::vector<uint32_t> used;
  Result<void> read = for_each_step(steps, [&](const Step& step) -> Result<void> {
    if (step.phase != Phase::decode) {
      return {};
    }
    used.clear();
    for (const ExpertId id : step.experts) {
      used.push_back(slots[index_of(id)]);
    }
    std::sort(used.begin(), used.end());
    for (size_t i = 0; i < used.size(); ++i) {
      runs += i == 0 || used[i] != used[i - 1] + 1 ? 1 : 0;
    }
    ++decode_steps;
    return {};
  });
  if (!read) {
    return propagate(read);
  }
  return decode_steps == 0 ? 0.0 : double(runs) / double(decode_steps);
}

}  // namespace spillway
