#include <set>

#include "tests/policies/lab.h"

// The promises of every listed eviction policy, whatever its idea. A new policy is tested by being listed.
namespace spillway {
namespace {

constexpr uint32_t kLayers = 4;
constexpr uint32_t kExperts = 16;
constexpr size_t kSlots = 20;

class EveryEvictionPolicy : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<EvictionPolicy> make(uint64_t seed = 1) const {
    return lab.eviction(GetParam(), kSlots, seed);
  }

  Lab lab{kLayers, kExperts, 2};
};

INSTANTIATE_TEST_SUITE_P(Listed, EveryEvictionPolicy, testing::ValuesIn(names_of(eviction_policies())),
                         test_name);

TEST_P(EveryEvictionPolicy, offers_nothing_when_nothing_was_admitted) {
  EXPECT_EQ(make()->victim({ExpertId{0}}, [](ExpertId) { return true; }), std::nullopt);
}

TEST_P(EveryEvictionPolicy, offers_the_only_expert_that_may_go) {
  for (uint32_t only = 0; only < kSlots; ++only) {
    const auto policy = make();
    for (uint32_t i = 0; i < kSlots; ++i) {
      policy->admitted({ExpertId{i}, i, kNeverUsedAgain});
    }
    const auto may_go = [&](ExpertId id) { return index_of(id) == only; };
    EXPECT_EQ(policy->victim({ExpertId{kSlots}, kSlots}, may_go), ExpertId{only});
  }
}

TEST_P(EveryEvictionPolicy, forgets_what_was_removed) {
  const auto policy = make();
  std::set<uint32_t> admitted;
  for (uint32_t i = 0; i < kSlots; ++i) {
    policy->admitted({ExpertId{i}, i, kNeverUsedAgain});
    admitted.insert(i);
  }
  while (!admitted.empty()) {
    const auto victim = policy->victim({ExpertId{kSlots}, kSlots}, [](ExpertId) { return true; });
    ASSERT_TRUE(victim.has_value());
    ASSERT_EQ(admitted.erase(index_of(*victim)), 1U);
    policy->removed(*victim);
  }
  EXPECT_EQ(policy->victim({ExpertId{kSlots}, kSlots}, [](ExpertId) { return true; }), std::nullopt);
  policy->admitted({ExpertId{3}, kSlots, kNeverUsedAgain});
  EXPECT_EQ(policy->victim({ExpertId{4}, kSlots}, [](ExpertId) { return true; }), ExpertId{3});
}

// Makes any order of calls that a pager can make: demands and prefetches, failing loads, experts
// held for any reason.
TEST_P(EveryEvictionPolicy, offers_an_admitted_expert_that_may_go_whenever_there_is_one) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    const auto policy = make(seed);
    const std::vector<Step> steps = random_steps(lab, 500, rng);
    std::set<ExpertId> admitted;
    for (const Step& step : steps) {
      const ExpertId id = step.experts[0];
      const bool prefetch = rng.below(4) == 0;
      const Access access{id, step.index, prefetch ? step.index : step.next_use[0], prefetch};
      std::set<ExpertId> held;
      for (const ExpertId other : admitted) {
        if (rng.below(8) < seed % 9) {  // from no expert to all of them
          held.insert(other);
        }
      }
      const auto may_go = [&](ExpertId other) { return admitted.contains(other) && !held.contains(other); };
      const std::optional<ExpertId> victim = policy->victim(access, may_go);
      ASSERT_EQ(victim.has_value(), held.size() < admitted.size());
      ASSERT_EQ(policy->victim(access, may_go), victim) << "asking changed the answer";
      if (victim) {
        ASSERT_TRUE(may_go(*victim));
      }
      if (admitted.contains(id)) {
        if (!prefetch) {
          policy->touched(access);
        }
      } else if (admitted.size() < kSlots || victim) {
        if (admitted.size() == kSlots) {
          policy->removed(*victim);
          admitted.erase(*victim);
        }
        policy->admitted(access);
        admitted.insert(id);
        if (rng.below(10) == 0) {  // its load failed
          policy->removed(id);
          admitted.erase(id);
        }
      }
    }
  }
}

TEST_P(EveryEvictionPolicy, chooses_the_same_for_the_same_seed_however_often_it_is_asked) {
  Rng rng(7);
  const std::vector<Step> steps = random_steps(lab, 2000, rng);
  const auto calm = make(3);
  const auto pestered = make(3);
  SlotCache calm_cache(lab, *calm, kSlots);
  SlotCache pestered_cache(lab, *pestered, kSlots);
  for (const Step& step : steps) {
    calm_cache.run(step);
    pestered->victim({step.experts[0], step.index}, [&](ExpertId id) { return index_of(id) % 3 != 0; });
    pestered_cache.run(step);
  }
  EXPECT_EQ(calm_cache.victims, pestered_cache.victims);
  EXPECT_GT(calm_cache.hits, 0U);
}

TEST_P(EveryEvictionPolicy, chooses_otherwise_for_another_seed_only_if_it_says_that_it_is_random) {
  Rng rng(7);
  const std::vector<Step> steps = random_steps(lab, 2000, rng);
  const auto one = make(3);
  const auto other = make(4);
  SlotCache cache_of_one(lab, *one, kSlots);
  SlotCache cache_of_other(lab, *other, kSlots);
  cache_of_one.run(steps);
  cache_of_other.run(steps);
  EXPECT_EQ(cache_of_one.victims != cache_of_other.victims,
            eviction_policies().known(GetParam()).traits.is_random);
}

TEST_P(EveryEvictionPolicy, is_refused_without_next_uses_if_it_says_that_it_knows_the_future) {
  const EvictionChoice chosen = eviction_policies().known(GetParam());
  lab.source.has_next_use = false;
  EXPECT_EQ(chosen.make(lab.env(kSlots)).has_value(), !chosen.traits.knows_future);
}

TEST_P(EveryEvictionPolicy, hits_always_once_everything_fits) {
  const auto policy = make();
  SlotCache cache(lab, *policy, lab.geometry().expert_count());
  Rng rng(1);
  cache.run(random_steps(lab, 4000, rng));
  EXPECT_LE(cache.misses, lab.geometry().expert_count());
  EXPECT_TRUE(cache.victims.empty());
}

// A large expert may need the place of several small experts, and more than one policy divides the budget.
TEST_P(EveryEvictionPolicy, makes_room_where_experts_of_different_layers_differ_in_size) {
  lab.source.geometry.expert_bytes = {1, 7, 3, 5};
  for (uint64_t bytes = 14; bytes < 100; bytes += 17) {
    const auto policy = lab.eviction(GetParam(), bytes);
    SlotCache cache(lab, *policy, bytes);
    Rng rng(bytes);
    ASSERT_NO_FATAL_FAILURE(cache.run(random_steps(lab, 3000, rng)));
    EXPECT_GT(cache.victims.size(), 100U) << bytes;
  }
}

TEST(EvictionList, has_each_name_once_and_every_file_of_the_folder) {
  expect_a_file_for_each(names_of(eviction_policies()), "policies/eviction");
}

}  // namespace
}  // namespace spillway
