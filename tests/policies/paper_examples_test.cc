#include "tests/policies/lab.h"
#include "tests/support/make_plugin.h"

// Short streams worked out on paper, step by step, by the rules of each policy's authors.
namespace spillway {
namespace {

struct Outcome {
  size_t misses = 0;
  std::vector<uint32_t> victims;
};

Outcome outcome(const std::string& spec, uint64_t slots, const std::vector<uint32_t>& pages) {
  const Lab lab(1, 20, 1);
  const auto policy = lab.eviction(spec, slots);
  SlotCache cache(lab, *policy, slots);
  cache.run(page_references(lab, pages));
  Outcome result{cache.misses, {}};
  for (const ExpertId id : cache.victims) {
    result.victims.push_back(index_of(id));
  }
  return result;
}

using Victims = std::vector<uint32_t>;

// Stallings, "Operating Systems: Internals and Design Principles", the figure that compares four replacement
// algorithms: besides the three faults that fill the frames, OPT takes 3, LRU 4, FIFO 6, Clock 5.
TEST(TextbookPageReferences, CostTheClockAsManyFaultsAsTheTextbookCounts) {
  const std::vector<uint32_t> pages = {2, 3, 2, 1, 5, 2, 4, 5, 3, 2, 5, 2};
  EXPECT_EQ(outcome("belady", 3, pages).misses, 3U + 3U);
  EXPECT_EQ(outcome("lru", 3, pages).misses, 3U + 4U);
  EXPECT_EQ(outcome("fifo", 3, pages).misses, 3U + 6U);
  EXPECT_EQ(outcome("clock", 3, pages).misses, 3U + 5U);
  EXPECT_EQ(outcome("clock", 3, pages).victims, (Victims{2, 3, 1, 5, 4}));
}

TEST(Clock, SparesWhoHasTheLargerCount) {
  // 1 was used three times and 2 once since they arrived: with one bit both are spared once, with two
  // bits 1 outlives 2.
  const std::vector<uint32_t> pages = {1, 2, 1, 1, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(outcome("clock:initial=0", 3, pages).victims, (Victims{3, 1, 2, 4}));
  EXPECT_EQ(outcome("clock:initial=0,bits=2", 3, pages).victims, (Victims{3, 2, 4, 5}));
}

// 3 leaves though it is the newest, for 1 and 2 were used. Later the hand clears 4 and goes on: 4 stays in
// its place and outlives every expert that the hand has yet to reach.
TEST(Sieve, LeavesTheExpertsItSparesWhereTheyAre) {
  const std::vector<uint32_t> pages = {1, 2, 3, 1, 2, 4, 5, 4, 6, 7, 8};
  EXPECT_EQ(outcome("sieve", 3, pages).victims, (Victims{3, 1, 2, 5, 6}));
}

// 1 and 2 are promoted, so 3 and 4 leave the small queue. 4 returns from the ghosts to the main queue, which
// then has three experts and gives up 1. 1 is not a ghost and starts anew.
TEST(S3Fifo, PromotesWhoWasUsedAndRemembersWhoWasNot) {
  const std::vector<uint32_t> pages = {1, 2, 3, 4, 1, 1, 2, 2, 5, 6, 4, 7, 1};
  EXPECT_EQ(outcome("s3fifo:small=0.5,ghost=0.5", 4, pages).victims, (Victims{3, 4, 5, 1, 6}));
}

// The whole small queue moves on at once. Its first expert to arrive in the main queue is the first one there
// without a count, for 1 and 2 have been used there.
TEST(S3Fifo, TakesFromTheMainQueueWhenAllOfTheSmallOneMovesOn) {
  const std::vector<uint32_t> pages = {1, 2, 3, 4, 1, 1, 2, 2, 5, 1, 2, 4, 4, 5, 5, 6};
  EXPECT_EQ(outcome("s3fifo:small=0.5", 4, pages).victims, (Victims{3, 4}));
}

// 3 and 4 return from the ghosts of experts used once, which raises the target to 2 and costs 1 its place. 1
// returns from the other ghosts, lowers the target to 1, and takes the place of 5.
TEST(Arc, MovesItsTargetTowardsTheListWhoseGhostsReturn) {
  const std::vector<uint32_t> pages = {1, 2, 3, 4, 1, 2, 5, 3, 4, 1, 6};
  EXPECT_EQ(outcome("arc", 4, pages).victims, (Victims{3, 4, 1, 5, 2}));
}

// "ARC is scan-resistant": pages that are used once pass by those that were used again.
TEST(Arc, LetsAScanPassByWhatIsUsedAgain) {
  std::vector<uint32_t> pages = {1, 2, 1, 2};
  for (uint32_t page = 3; page < 20; ++page) {
    pages.push_back(page);
  }
  const Victims victims = outcome("arc", 4, pages).victims;
  EXPECT_EQ(std::count_if(victims.begin(), victims.end(), [](uint32_t page) { return page < 3; }), 0);
}

// 3 and then 4 fall out of the window and lose to 2, which has as many uses. Once 3 has been used twice,
// 2 leaves for it.
TEST(WTinyLfu, AdmitsWhoWasUsedMoreThanWhoWouldLeave) {
  const std::vector<uint32_t> pages = {1, 2, 3, 1, 4, 3, 5};
  EXPECT_EQ(outcome("wtinylfu", 3, pages).victims, (Victims{3, 4, 2}));
}

// Twenty experts in turn, two a step, in a cache of twelve: LRU never hits. Experts in the main part stay
// there, since the newcomers were used no more often. This holds only if newcomers can be turned away at all
// although their own step holds them.
TEST(WTinyLfu, KeepsItsMainPartOnACycleLongerThanTheCache) {
  const Lab lab(10, 8, 2);
  std::vector<Step> steps;
  while (steps.size() < 10 * 50) {
    steps.push_back(lab.step(steps.size(), {0, 1}));
  }
  const auto hits = [&](const std::string& spec) {
    const auto policy = lab.eviction(spec, 12);
    SlotCache cache(lab, *policy, 12);
    cache.run(steps);
    return cache.hits;
  };
  EXPECT_EQ(hits("lru"), 0U);
  EXPECT_GT(hits("wtinylfu:sample=1000"), 49U * 9U);  // of 49 tokens, 20 lookups each
}

// Three layers; each row is a token. In the third pass LRU gives up c0, unused for two passes, although its
// layer is still to come. Least-Stale gives up b0, whose layer uses another expert this time.
TEST(LeastStale, KeepsTheLayersThatAreStillToCome) {
  const Lab lab(3, 4, 1);
  const std::vector<uint32_t> tokens[] = {{0, 0, 0}, {1, 0, 1}, {1, 1, 0}};
  std::vector<Step> steps;
  for (const std::vector<uint32_t>& token : tokens) {
    for (const uint32_t expert : token) {
      steps.push_back(lab.step(steps.size(), {expert}));
    }
  }
  const auto victims = [&](const std::string& spec) {
    const auto policy = lab.eviction(spec, 4);
    SlotCache cache(lab, *policy, 4);
    cache.run(steps);
    return cache.victims;
  };
  const ExpertId a0 = lab.geometry().id(0, 0), b0 = lab.geometry().id(1, 0), c0 = lab.geometry().id(2, 0);
  EXPECT_EQ(victims("least-stale"), (std::vector{a0, b0}));
  EXPECT_EQ(victims("lru"), (std::vector{a0, c0, b0}));
}

TEST(LeastStale, TakesAPrefetchForTheNextPassAsCurrentInIt) {
  const Lab lab(3, 4, 1);
  const auto policy = lab.eviction("least-stale", 4);
  const auto any = [](ExpertId) { return true; };
  const ModelGeometry& geometry = lab.geometry();
  const ExpertId used = geometry.id(2, 0), prefetched = geometry.id(1, 2);
  policy->admitted({used, 2, 8});
  policy->admitted(prefetch_of(prefetched, 2));  // during layer 2, for layer 1 of the next token
  policy->admitted({geometry.id(0, 1), 3, 6});
  EXPECT_EQ(policy->victim({geometry.id(1, 0), 4, 7}, any), used);
  policy->touched({prefetched, 4, 7});
  EXPECT_EQ(policy->victim({geometry.id(2, 2), 5, 8}, any), used);
}

// Held experts do not lose their counts for being in the way.
TEST(Clock, TakesNoCountFromExpertsThatAreHeld) {
  const Lab lab(1, 20, 1);
  const auto policy = lab.eviction("clock:bits=2,initial=1", 4);
  for (uint32_t id = 0; id < 4; ++id) {
    policy->admitted({ExpertId{id}, id});
  }
  const auto but_0 = [](ExpertId id) { return id != ExpertId{0}; };
  ASSERT_EQ(policy->victim({ExpertId{4}, 4}, but_0), ExpertId{1});
  policy->removed(ExpertId{1});  // 2 and 3 have lost their counts, 0 has kept its count
  const auto but_3 = [](ExpertId id) { return id != ExpertId{3}; };
  EXPECT_EQ(policy->victim({ExpertId{4}, 5}, but_3), ExpertId{2});
}

class PoliciesThatTellFirstUses : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(All, PoliciesThatTellFirstUses,
                         testing::Values("clock", "sieve", "s3fifo", "arc", "wtinylfu", "lfu"), test_name);

// Reports each miss to the policy as a prefetch that a demand follows at once.
class ForesightfulPolicy final : public EvictionPolicy {
 public:
  explicit ForesightfulPolicy(EvictionPolicy& policy) : policy_(policy) {}

  void admitted(const Access& access) override {
    policy_.admitted(prefetch_of(access.expert, access.step));
    policy_.touched(access);
  }
  void touched(const Access& access) override { policy_.touched(access); }
  void removed(ExpertId expert) override { policy_.removed(expert); }
  std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) override {
    return policy_.victim(incoming, may_go);
  }

 private:
  EvictionPolicy& policy_;
};

TEST_P(PoliciesThatTellFirstUses, CountAPrefetchAndItsDemandAsOneUse) {
  const Lab lab(3, 16, 2);
  Rng rng(5);
  const std::vector<Step> steps = random_steps(lab, 3000, rng);
  const auto plain = lab.eviction(GetParam(), 15);
  const auto foresightful = lab.eviction(GetParam(), 15);
  ForesightfulPolicy wrapped(*foresightful);
  SlotCache cache(lab, *plain, 15);
  SlotCache prefetched(lab, wrapped, 15);
  cache.run(steps);
  prefetched.run(steps);
  EXPECT_EQ(cache.victims, prefetched.victims);
}

// 1 was prefetched in vain three times and is used once; 2 is used twice.
TEST(Lfu, CountsNoPrefetchThatNobodyDemanded) {
  const Lab lab(1, 20, 1);
  const auto any = [](ExpertId) { return true; };
  const auto policy = lab.eviction("lfu", 2);
  for (uint64_t step = 0; step < 3; ++step) {
    policy->admitted(prefetch_of(ExpertId{1}, step));
    policy->removed(ExpertId{1});
  }
  policy->admitted({ExpertId{2}, 3});
  policy->touched({ExpertId{2}, 4});
  policy->admitted({ExpertId{1}, 5});
  EXPECT_EQ(policy->victim({ExpertId{3}, 6}, any), ExpertId{1});
}

class PoliciesWithGhosts : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(All, PoliciesWithGhosts, testing::Values("s3fifo:small=0.5", "arc"),
                         [](const auto& parameter) { return parameter.param.substr(0, 3); });

// 1 leaves and returns. With a ghost it would come back as an expert that is used again, and 2 would
// leave before it.
TEST_P(PoliciesWithGhosts, RememberNoPrefetchThatNobodyDemanded) {
  const Lab lab(1, 20, 1);
  const auto any = [](ExpertId) { return true; };
  for (const bool demanded : {false, true}) {
    const auto policy = lab.eviction(GetParam(), 3);
    policy->admitted(demanded ? Access{.expert = ExpertId{1}} : prefetch_of(ExpertId{1}, 0));
    policy->removed(ExpertId{1});
    policy->admitted({ExpertId{1}, 1});
    policy->admitted({ExpertId{2}, 2});
    policy->admitted({ExpertId{3}, 3});
    EXPECT_EQ(policy->victim({ExpertId{4}, 4}, any), ExpertId{demanded ? 2U : 1U});
  }
}

TEST(PolicyOptions, ThatMakeNoSenseAreRefusedByName) {
  const Lab lab(1, 20, 1);
  const std::vector<std::pair<std::string, std::string>> refused = {{"clock:bits=0", "bits"},
                                                                    {"clock:bits=17", "bits"},
                                                                    {"clock:initial=2", "initial"},
                                                                    {"s3fifo:small=1.1", "small"},
                                                                    {"s3fifo:ghost=2", "ghost"},
                                                                    {"s3fifo:promote=4", "promote"},
                                                                    {"s3fifo:promote=0", "promote"},
                                                                    {"wtinylfu:window=2", "window"},
                                                                    {"wtinylfu:protect=7", "protect"},
                                                                    {"wtinylfu:sample=0", "sample"},
                                                                    {"wtinylfu:sample=2000000", "sample"}};
  for (const auto& [spec, option] : refused) {
    const auto made = make_plugin(eviction_policies(), spec, lab.env(4));
    ASSERT_FALSE(made.has_value()) << spec;
    EXPECT_EQ(made.error().kind, ErrorKind::usage) << spec;
    EXPECT_NE(made.error().message.find(option), std::string::npos) << made.error().message;
  }
}

}  // namespace
}  // namespace spillway
