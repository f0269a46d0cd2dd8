#include "tests/policies/lab.h"
#include "tests/support/make_plugin.h"

// Numbers from the literature.
namespace spillway {
namespace {

size_t faults(const std::string& spec, size_t frames, const std::vector<uint32_t>& pages) {
  const Lab lab(1, 10, 1);
  const auto policy = lab.eviction(spec, frames);
  SlotCache cache(lab, *policy, frames);
  cache.run(page_references(lab, pages));
  return cache.misses;
}

// The reference string of the chapter on page replacement in Silberschatz, Galvin, Gagne, "Operating
// System Concepts".
TEST(TextbookPageReferences, cost_as_many_faults_as_the_textbook_counts) {
  const std::vector<uint32_t> pages = {7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1};
  EXPECT_EQ(faults("belady", 3, pages), 9U);
  EXPECT_EQ(faults("lru", 3, pages), 12U);
  EXPECT_EQ(faults("fifo", 3, pages), 15U);
}

// Belady, Nelson, Shedler, "An anomaly in space-time characteristics of certain programs running in a paging
// machine", CACM 12(6), 1969.
TEST(Fifo, shows_beladys_anomaly) {
  const std::vector<uint32_t> pages = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
  EXPECT_EQ(faults("fifo", 3, pages), 9U);
  EXPECT_EQ(faults("fifo", 4, pages), 10U);
  EXPECT_EQ(faults("lru", 3, pages), 10U);
  EXPECT_EQ(faults("lru", 4, pages), 8U);
  EXPECT_EQ(faults("belady", 3, pages), 7U);
  EXPECT_EQ(faults("belady", 4, pages), 6U);
}

// A model of six layers that uses the same expert of each for every token, in a cache of five.
std::vector<Step> too_long_cycle(const Lab& lab, size_t tokens) {
  std::vector<Step> steps;
  while (steps.size() < lab.geometry().layers * tokens) {
    steps.push_back(lab.step(steps.size(), {0}));
  }
  annotate_next_use(lab.geometry(), steps);
  return steps;
}

TEST(TooLongCycle, never_hits_under_lru_and_fifo) {
  const Lab lab(6, 4, 1);
  for (const char* spec : {"lru", "fifo"}) {
    const auto policy = lab.eviction(spec, 5);
    SlotCache cache(lab, *policy, 5);
    cache.run(too_long_cycle(lab, 100));
    EXPECT_EQ(cache.hits, 0U) << spec;
    EXPECT_EQ(cache.misses, 600U) << spec;
  }
}

// The optimum gives up the expert that it has just used, and misses that expert n uses later. Once the n
// slots are full, it misses once in n uses.
TEST(TooLongCycle, misses_once_in_as_many_uses_as_there_are_slots_under_belady) {
  const Lab lab(6, 4, 1);
  const auto policy = lab.eviction("belady", 5);
  SlotCache cache(lab, *policy, 5);
  cache.run(too_long_cycle(lab, 100));
  EXPECT_EQ(cache.misses, 5U + (600U - 5U) / 5U);
}

TEST(Lfu, forgets_an_old_favourite_only_when_it_ages) {
  const auto survives = [](const std::string& spec) {
    const Lab lab(1, 10, 1);
    const auto policy = lab.eviction(spec, 2);
    SlotCache cache(lab, *policy, 2);
    std::vector<uint32_t> pages(500, 9);
    for (int i = 0; i < 200; ++i) {
      pages.push_back(i % 2 == 0 ? 1 : 2);
    }
    cache.run(page_references(lab, pages));
    return std::find(cache.victims.begin(), cache.victims.end(), ExpertId{9}) == cache.victims.end();
  };
  EXPECT_TRUE(survives("lfu"));
  EXPECT_FALSE(survives("lfu:halve_every=10"));
}

TEST(Belady, keeps_a_prefetched_expert_by_what_its_last_demand_told_of_its_next_use) {
  const Lab lab(1, 10, 1);
  const auto policy = lab.eviction("belady", 2);
  const auto any = [](ExpertId) { return true; };
  policy->admitted({ExpertId{1}, 0, 50});
  policy->removed(ExpertId{1});
  policy->admitted(prefetch_of(ExpertId{1}, 5));  // to be used at step 50
  policy->admitted({ExpertId{2}, 6, 40});
  EXPECT_EQ(policy->victim({ExpertId{3}, 7, 8}, any), ExpertId{1});
  policy->touched({ExpertId{2}, 40, 60});
  EXPECT_EQ(policy->victim({ExpertId{3}, 41, 42}, any), ExpertId{2});
  policy->admitted(prefetch_of(ExpertId{4}, 42));  // never seen before
  EXPECT_EQ(policy->victim({ExpertId{3}, 42, 43}, any), ExpertId{2});
}

TEST(Belady, is_refused_by_a_source_that_does_not_know_the_next_use) {
  Lab lab(1, 10, 1);
  lab.source.has_next_use = false;
  const auto made = make_plugin(eviction_policies(), "belady", lab.env(4));
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().kind, ErrorKind::usage);
  EXPECT_NE(made.error().message.find("next use"), std::string::npos);
}

}  // namespace
}  // namespace spillway
