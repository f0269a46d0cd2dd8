#include <limits>

#include "core/expects.h"
#include "core/plugins.h"
#include "core/rng.h"

namespace spillway::eviction {
namespace {

// Evicts a random expert: the least that any other policy has to beat.
class Random final : public EvictionPolicy {
 public:
  Random(const ModelGeometry& geometry, uint64_t seed)
      : dice_(seed), places_(geometry.expert_count(), kAbsent) {
    admitted_.reserve(geometry.expert_count());
  }

  void admitted(const Access& access) override {
    Expects(places_[index_of(access.expert)] == kAbsent);
    places_[index_of(access.expert)] = uint32_t(admitted_.size());
    admitted_.push_back(access.expert);
  }

  void touched(const Access&) override {}

  void removed(ExpertId expert) override {
    const uint32_t place = places_[index_of(expert)];
    Expects(place != kAbsent);
    admitted_[place] = admitted_.back();
    places_[index_of(admitted_[place])] = place;
    admitted_.pop_back();
    places_[index_of(expert)] = kAbsent;
    dice_.next();
  }

  // Draws from a copy of the generator, since two calls must give the same answer; removed()
  // moves the generator on.
  std::optional<ExpertId> victim(const Access&, Evictable may_go) override {
    Rng dice = dice_;
    uint64_t at = 0;
    for (int draw = 0; draw < kDraws && !admitted_.empty(); ++draw) {
      at = dice.below(admitted_.size());
      if (may_go(admitted_[at])) {
        return admitted_[at];
      }
    }
    // Nearly every expert is held: takes the first evictable one after the last draw.
    for (size_t i = 0; i < admitted_.size(); ++i) {
      const ExpertId id = admitted_[(at + i) % admitted_.size()];
      if (may_go(id)) {
        return id;
      }
    }
    return std::nullopt;
  }

 private:
  static constexpr uint32_t kAbsent = std::numeric_limits<uint32_t>::max();
  static constexpr int kDraws = 32;

  Rng dice_;
  std::vector<ExpertId> admitted_;  // in no order
  std::vector<uint32_t> places_;    // in admitted_, by expert
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  return std::make_unique<Random>(env.source->geometry, env.seed);
}

}  // namespace

EvictionPlugin random() {
  return plugin("random", "any expert goes, by the run's seed", make, {.is_random = true});
}

}  // namespace spillway::eviction
