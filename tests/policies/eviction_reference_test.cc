#include <functional>
#include <map>

#include "tests/policies/lab.h"

// Compares each policy with the obvious way to write it: a search through every admitted expert for the one
// that ranks first.
namespace spillway {
namespace {

struct Record {
  ExpertId id{};
  uint64_t arrival = 0;
  uint64_t last_use = 0;
  uint64_t count = 0;
  uint64_t next_use = 0;
  uint64_t step = 0;  // step of the last use
};

class Obvious : public EvictionPolicy {
 public:
  using Rank = std::function<std::vector<uint64_t>(const Record&, const Access& incoming)>;
  explicit Obvious(Rank rank) : rank_(std::move(rank)) {}

  void admitted(const Access& access) override {
    Record& record = records_[access.expert];
    record.id = access.expert;
    record.arrival = ++time_;
    touched(access);
  }
  void touched(const Access& access) override {
    Record& record = records_[access.expert];
    record.last_use = ++time_;
    record.count += 1;
    record.next_use = access.next_use;
    record.step = access.step;
  }
  void removed(ExpertId expert) override { records_.erase(expert); }
  std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) override {
    std::optional<ExpertId> best;
    std::vector<uint64_t> best_rank;
    for (const auto& [id, record] : records_) {
      if (may_go(id)) {
        const std::vector<uint64_t> rank = rank_(record, incoming);
        if (!best || rank < best_rank) {
          best = id;
          best_rank = rank;
        }
      }
    }
    return best;
  }

 protected:
  std::map<ExpertId, Record> records_;

 private:
  Rank rank_;
  uint64_t time_ = 0;
};

constexpr uint64_t kStreams = 20;
constexpr size_t kSteps = 500;

// Runs both policies over random streams of steps with caches of several sizes.
void expect_same(
    const std::string& spec,
    const std::function<std::unique_ptr<Obvious>(const Lab&, const std::vector<Step>&, size_t)>& obvious) {
  for (uint64_t seed = 0; seed < kStreams; ++seed) {
    SCOPED_TRACE(testing::Message() << spec << " seed " << seed);
    Rng rng(seed);
    const Lab lab(uint32_t(1 + rng.below(5)), uint32_t(8 + rng.below(20)), uint32_t(1 + rng.below(4)));
    const size_t slots =
        lab.geometry().top_k + rng.below(lab.geometry().expert_count() - lab.geometry().top_k);
    const std::vector<Step> steps = random_steps(lab, kSteps, rng);
    const auto policy = lab.eviction(spec, slots);
    const auto reference = obvious(lab, steps, slots);
    SlotCache cache(lab, *policy, slots);
    SlotCache reference_cache(lab, *reference, slots);
    cache.run(steps);
    reference_cache.run(steps);
    EXPECT_EQ(cache.victims, reference_cache.victims);
    EXPECT_EQ(cache.hits, reference_cache.hits);
  }
}

auto ranked_by(Obvious::Rank rank) {
  return [rank](const Lab&, const std::vector<Step>&, size_t) { return std::make_unique<Obvious>(rank); };
}

TEST(Lru, takes_the_oldest_time_of_use) {
  expect_same("lru", ranked_by([](const Record& r, const Access&) { return std::vector{r.last_use}; }));
}

TEST(Fifo, takes_the_oldest_time_of_arrival) {
  expect_same("fifo", ranked_by([](const Record& r, const Access&) { return std::vector{r.arrival}; }));
}

TEST(Lfu, without_keep_takes_the_smallest_count_since_arrival_and_of_equals_the_oldest_time_of_use) {
  expect_same("lfu:keep=0", ranked_by([](const Record& r, const Access&) {
                return std::vector{r.count, r.last_use};
              }));
}

// Looks up the count in the history of the stream instead of keeping it.
TEST(Lfu, counts_the_uses_of_the_whole_past) {
  expect_same("lfu", [](const Lab&, const std::vector<Step>& steps, size_t) {
    return std::make_unique<Obvious>([&steps](const Record& r, const Access& incoming) {
      uint64_t count = 0;
      for (const Step& step : steps) {
        if (step.index > incoming.step) {
          break;
        }
        count += uint64_t(std::count(step.experts.begin(), step.experts.end(), r.id));
      }
      return std::vector{count, r.last_use};
    });
  });
}

class ObviousAgeingLfu final : public Obvious {
 public:
  explicit ObviousAgeingLfu(uint64_t halve_every)
      : Obvious([](const Record& r, const Access&) {
          return std::vector{r.count, r.last_use};
        }),
        halve_every_(halve_every) {}

  void admitted(const Access& access) override {
    age(access.step);
    Obvious::admitted(access);
  }
  void touched(const Access& access) override {
    age(access.step);
    Obvious::touched(access);
  }

 private:
  void age(uint64_t step) {
    for (; halvings_ < step / halve_every_; ++halvings_) {
      for (auto& [id, record] : records_) {
        record.count /= 2;
      }
    }
  }

  uint64_t halve_every_;
  uint64_t halvings_ = 0;
};

TEST(Lfu, with_halve_every_halves_all_counts_at_each_multiple_of_the_step_index) {
  expect_same("lfu:keep=0,halve_every=50", [](const Lab&, const std::vector<Step>&, size_t) {
    return std::make_unique<ObviousAgeingLfu>(50);
  });
}

TEST(Belady, takes_what_a_scan_of_the_future_finds_last) {
  expect_same("belady", [](const Lab&, const std::vector<Step>& steps, size_t) {
    return std::make_unique<Obvious>([&steps](const Record& r, const Access& incoming) {
      uint64_t distance = 0;
      for (uint64_t at = incoming.step + 1; at < steps.size(); ++at, ++distance) {
        const std::vector<ExpertId>& used = steps[at].experts;
        if (std::find(used.begin(), used.end(), r.id) != used.end()) {
          break;
        }
      }
      return std::vector{kNeverUsedAgain - distance};
    });
  });
}

// Ranks by layer first: the incoming expert's layer if it has its share, then the fullest, and among equals
// the layer that was passed most recently.
class ObviousLayerLru final : public Obvious {
 public:
  ObviousLayerLru(const ModelGeometry& geometry, uint64_t share)
      : Obvious([this](const Record& r, const Access& incoming) {
          const uint32_t own = geometry_.layer_of(incoming.expert);
          const uint32_t layer = geometry_.layer_of(r.id);
          if (layer == own && held_by(own) >= share_) {
            return std::vector<uint64_t>{0, 0, 0, r.last_use};
          }
          const uint32_t passed_ago = (own + geometry_.layers - 1 - layer) % geometry_.layers;
          return std::vector<uint64_t>{1, kNeverUsedAgain - held_by(layer), passed_ago, r.last_use};
        }),
        geometry_(geometry),
        share_(share) {}

 private:
  uint64_t held_by(uint32_t layer) const {
    uint64_t count = 0;
    for (const auto& [id, record] : records_) {
      count += geometry_.layer_of(id) == layer ? 1 : 0;
    }
    return count;
  }

  const ModelGeometry& geometry_;
  uint64_t share_;
};

TEST(LayerLru, takes_from_its_own_layer_at_its_share_and_else_from_the_fullest) {
  expect_same("layer-lru", [](const Lab& lab, const std::vector<Step>&, size_t slots) {
    const uint64_t share = std::max<uint64_t>(1, slots / lab.geometry().layers);
    return std::make_unique<ObviousLayerLru>(lab.geometry(), share);
  });
}

TEST(LeastStale, takes_what_this_pass_has_not_used_and_of_that_the_lowest_layer) {
  expect_same("least-stale", [](const Lab& lab, const std::vector<Step>&, size_t) {
    const ModelGeometry& geometry = lab.geometry();
    return std::make_unique<Obvious>([&geometry](const Record& r, const Access& incoming) {
      const bool current = r.step / geometry.layers == incoming.step / geometry.layers;
      return std::vector<uint64_t>{current ? 1U : 0U, geometry.layer_of(r.id), r.last_use};
    });
  });
}

TEST(Random, takes_each_expert_about_equally_often) {
  const Lab lab(1, 10, 1);
  const auto policy = lab.eviction("random", 10);
  for (uint32_t i = 0; i < 10; ++i) {
    policy->admitted({ExpertId{i}});
  }
  std::vector<int> taken(10);
  for (int i = 0; i < 10'000; ++i) {
    const ExpertId victim = *policy->victim({}, [](ExpertId) { return true; });
    ++taken[index_of(victim)];
    policy->removed(victim);
    policy->admitted({victim});
  }
  for (const int count : taken) {
    EXPECT_NEAR(count, 1000, 120);  // four standard deviations
  }
}

TEST(Random, depends_on_the_seed_of_the_run) {
  const Lab lab(2, 16, 2);
  Rng rng(1);
  const std::vector<Step> steps = random_steps(lab, 500, rng);
  std::vector<std::vector<ExpertId>> victims;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    const auto policy = lab.eviction("random", 8, seed);
    SlotCache cache(lab, *policy, 8);
    cache.run(steps);
    victims.push_back(cache.victims);
  }
  EXPECT_NE(victims[0], victims[1]);
}

}  // namespace
}  // namespace spillway
