#include <gtest/gtest.h>

#include "app/cli/cli.h"
#include "app/run/feeds.h"
#include "app/run/live_model.h"
#include "app/run/open_store.h"
#include "backends/list.h"
#include "host/linux/page_memory.h"
#include "policies/list.h"
#include "runtime/metrics.h"
#include "runtime/session.h"
#include "runtime/steady_clock.h"
#include "tests/support/fakes.h"
#include "tests/support/faulty_drive.h"
#include "tests/support/make_plugin.h"
#include "tests/support/references.h"

// A model computes while its drive fails. Its experts lie in a packed store, so every read can be checked.
namespace spillway {
namespace {

struct Computed {
  Result<void> run;
  std::vector<float> logits;
  uint64_t failures = 0;
  uint64_t spoiled = 0;
};

class RecordOnAFaultyDrive : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.model = test::unpack_model("small-qwen3moe-q8_0", directory_.path());
    options_.threads = 1;
    const std::string store = directory_.path() + "/experts.store";
    CommandLine commands("spillway", "", "");
    Invocation pack;
    add_pack_command(commands.program(), pack);
    ASSERT_TRUE(*commands.parse({"pack", "--model", options_.model, "-o", store}));
    ASSERT_TRUE(pack.run());
    options_.store = {store};
  }

  Computed compute(const fake::Faults& faults, uint64_t seed, const std::string& prefetch) {
    Computed computed;
    std::unique_ptr<LiveModel> live = std::move(*LiveModel::open(options_));
    EXPECT_TRUE(live->reserve());
    EXPECT_TRUE(live->load(64));
    const std::unique_ptr<ExpertStore> store =
        std::move(*open_expert_store(options_.store, live->geometry()));
    const ModelGeometry& shape = live->geometry();
    const std::unique_ptr<Backend> drive =
        std::move(*make_plugin(backends(), "pread", BackendEnv{store->files()}));
    fake::FaultyDrive faulty(*drive, faults, seed);
    const uint64_t capacity = shape.token_cycle_bytes();
    std::vector<std::byte> memory(arena_bytes_for(shape, *store, 4096, capacity) + 4096);
    auto* begin = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<uintptr_t>(memory.data()), 4096));
    const std::span<std::byte> aligned(begin, memory.size() - 4096);
    SlotArena arena(aligned, 4096);
    EXPECT_TRUE(faulty.attach(aligned));

    std::vector<TokenId> tokens;
    for (TokenId token = 1; token <= 24; ++token) {
      tokens.push_back(token * 7 % 200);
    }
    GivenTokens feed(tokens, 4, [&](std::span<const float> values) -> Result<void> {
      computed.logits.insert(computed.logits.end(), values.begin(), values.end());
      return {};
    });
    SteadyClock clock;
    Decoder decoder(live->model(), live->engine(), feed, clock, {.context = 64, .lookahead = 1}, {});
    const PolicyEnv env{&decoder.info(), capacity, seed};
    const std::unique_ptr<EvictionPolicy> policy = std::move(*make_plugin(eviction_policies(), "lru", env));
    const std::unique_ptr<Prefetcher> hints = std::move(*make_plugin(prefetchers(), prefetch, env));
    Metrics metrics;
    Pager pager(shape, {.capacity_bytes = capacity}, *policy, metrics);
    Loader loader(shape, *store, faulty, &arena, pager, clock, metrics,
                  {.verify = Verify::all, .prefetch_piece_bytes = 4096});
    Session session({decoder, *hints, pager, loader, decoder, clock, metrics});
    computed.run = session.run([] { return false; });
    computed.failures = faulty.failures;
    computed.spoiled = faulty.spoiled;
    EXPECT_EQ(faulty.in_flight(), 0U);
    return computed;
  }

  test::TemporaryDirectory directory_;
  LiveModelOptions options_;
};

TEST_F(RecordOnAFaultyDrive, ComputesTheSameLogitsOrEndsWithTheReason) {
  const Computed sound = compute({}, 0, "none");
  ASSERT_TRUE(sound.run) << sound.run.error().message;
  ASSERT_FALSE(sound.logits.empty());
  uint64_t ended_well = 0;
  uint64_t ended_early = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    const bool damaged = seed % 4 == 0;
    const fake::Faults faults = {.transient_errors = 0.1,
                                 .flipped = damaged ? 0.002 : 0,
                                 .misdirected = damaged ? 0.002 : 0,
                                 .cut_short = damaged ? 0.002 : 0,
                                 .late = 0.2,
                                 .last = 0.1,
                                 .out_of_order = true};
    const Computed faulty = compute(faults, seed, seed % 2 == 0 ? "router" : "none");
    if (faulty.run) {
      ASSERT_EQ(faulty.logits, sound.logits);
      ++ended_well;
    } else {
      ASSERT_GT(faulty.spoiled, 0U) << faulty.run.error().message;
      ASSERT_NE(faulty.run.error().message.find("experts.store"), std::string::npos);
      // What was handed on until then is right.
      ASSERT_LE(faulty.logits.size(), sound.logits.size());
      ASSERT_TRUE(std::equal(faulty.logits.begin(), faulty.logits.end(), sound.logits.begin()));
      ++ended_early;
    }
  }
  EXPECT_GE(ended_well, 150U);
  EXPECT_GT(ended_early, 0U);
}

}  // namespace
}  // namespace spillway
