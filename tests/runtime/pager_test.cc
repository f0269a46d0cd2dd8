#include "runtime/pager.h"

#include <gtest/gtest.h>

#include "core/digest.h"
#include "tests/support/fakes.h"

namespace spillway {
namespace {

using Kind = PagerCommand::Kind;

// Steps over one layer of ten experts of 10 bytes, one after the other; some tests add layers.
class PagerTest : public testing::Test {
 protected:
  void make(uint64_t capacity, uint32_t layers = 1, uint32_t prefetches = 4) {
    shape_ = fake::geometry(std::vector<uint64_t>(layers, 10), 10, 2);
    pager_.emplace(shape_, PagerLimits{.capacity_bytes = capacity, .prefetches_under_way = prefetches},
                   policy_, log_);
  }

  void begin(uint32_t layer, std::vector<uint32_t> experts) {
    Step step;
    step.index = index_++;
    step.layer = layer;
    for (const uint32_t expert : experts) {
      step.experts.push_back(shape_.id(layer, expert));
    }
    step_ = step;
    pager_->begin(step);
  }

  void finish() {
    for (const ExpertId expert : step_.experts) {
      pager_->used(expert);
    }
    pager_->end();
  }

  // Carries out the pager's commands; loads arrive at once.
  std::vector<PagerCommand> obey() {
    std::vector<PagerCommand> commands;
    pager_->take_commands([&](const PagerCommand& command) {
      commands.push_back(command);
      if (command.kind == Kind::load && !command.prefetch) {
        pager_->arrived(command.expert);
      }
    });
    return commands;
  }

  void step(uint32_t layer, std::vector<uint32_t> experts) {
    begin(layer, std::move(experts));
    obey();
    finish();
  }

  std::vector<EventKind> kinds() {
    std::vector<EventKind> list;
    for (const Event& event : log_.events) {
      list.push_back(event.kind);
    }
    log_.events.clear();
    return list;
  }

  ModelGeometry shape_;
  fake::SlowLru policy_;
  fake::EventLog log_;
  std::optional<Pager> pager_;
  Step step_;
  uint64_t index_ = 0;
};

TEST_F(PagerTest, ReportsAMissWithItsAdmissionAndThenAHit) {
  make(20);
  step(0, {3});
  EXPECT_EQ(kinds(), (std::vector{EventKind::miss, EventKind::admit}));
  step(0, {3});
  EXPECT_EQ(kinds(), std::vector{EventKind::hit});
}

TEST_F(PagerTest, DropsTheVictimBeforeItAsksForTheLoad) {
  make(20);
  step(0, {1, 2});
  begin(0, {3});
  const std::vector<PagerCommand> commands = obey();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].kind, Kind::drop);
  EXPECT_EQ(commands[0].expert, ExpertId{1});
  EXPECT_EQ(commands[1].kind, Kind::load);
  finish();
  EXPECT_EQ(pager_->resident_bytes(), 20U);
}

TEST_F(PagerTest, NeverEvictsForAStepWhatTheSameStepUses) {
  make(20);
  step(0, {1, 2});
  kinds();
  // 1 is the least recent when 3 misses, but the step uses it later.
  step(0, {3, 1});
  EXPECT_EQ(kinds(), (std::vector{EventKind::miss, EventKind::evict, EventKind::admit, EventKind::hit}));
}

TEST_F(PagerTest, ReadsWithoutKeepingWhatAStepUsesBeyondTheBudget) {
  make(20);
  step(0, {1, 2, 3});
  EXPECT_EQ(log_.count(EventKind::bypass), 1U);
  kinds();
  step(0, {1, 2});
  EXPECT_EQ(kinds(), (std::vector{EventKind::hit, EventKind::hit}));
  step(0, {3});
  EXPECT_EQ(kinds(), (std::vector{EventKind::miss, EventKind::evict, EventKind::admit}));
}

TEST_F(PagerTest, FreesABypassedExpertAsSoonAsItWasUsed) {
  make(0);
  begin(0, {4, 5});
  obey();
  pager_->used(ExpertId{4});
  const std::vector<PagerCommand> commands = obey();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].kind, Kind::drop);
  EXPECT_EQ(commands[0].expert, ExpertId{4});
  pager_->used(ExpertId{5});
  pager_->end();
}

TEST_F(PagerTest, AdmitsAHintThatIsNotThereYet) {
  make(40, 2);
  step(0, {1});
  pager_->hint({{shape_.id(1, 7), 0.9F}, {shape_.id(0, 1), 0.9F}});
  EXPECT_TRUE(pager_->start_prefetch());
  EXPECT_FALSE(pager_->start_prefetch()) << "a resident expert was prefetched";
  const std::vector<PagerCommand> commands = obey();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_TRUE(commands[0].prefetch);
  pager_->arrived(shape_.id(1, 7));
  kinds();
  begin(1, {7});
  EXPECT_EQ(kinds(), (std::vector{EventKind::hit, EventKind::prefetch_used}));
  finish();
}

TEST_F(PagerTest, HurriesAPrefetchThatIsDemandedUnderWay) {
  make(40, 2);
  step(0, {1});
  pager_->hint({{shape_.id(1, 7), 0.9F}});
  ASSERT_TRUE(pager_->start_prefetch());
  obey();
  kinds();
  begin(1, {7});
  EXPECT_EQ(kinds(), std::vector{EventKind::late});
  const std::vector<PagerCommand> commands = obey();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].kind, Kind::hurry);
  EXPECT_FALSE(pager_->ready(shape_.id(1, 7)));
  pager_->arrived(shape_.id(1, 7));
  finish();
}

TEST_F(PagerTest, AbandonsAPrefetchWhoseLayerCameWithoutIt) {
  make(40, 2);
  step(0, {1});
  pager_->hint({{shape_.id(1, 7), 0.9F}, {shape_.id(1, 8), 0.5F}});
  ASSERT_TRUE(pager_->start_prefetch());
  obey();
  begin(1, {3});
  const std::vector<PagerCommand> commands = obey();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].kind, Kind::abandon);
  EXPECT_EQ(commands[0].expert, shape_.id(1, 7));
  EXPECT_EQ(commands[1].kind, Kind::load);
  EXPECT_FALSE(pager_->start_prefetch()) << "the other hint, for the same layer, is stale";
  kinds();
  pager_->failed(shape_.id(1, 7));
  EXPECT_EQ(kinds(), (std::vector{EventKind::prefetch_wasted, EventKind::evict}));
  finish();
}

TEST_F(PagerTest, KeepsNoMorePrefetchesUnderWayThanItsLimit) {
  make(100, 2, 2);
  step(0, {1});
  pager_->hint({{shape_.id(1, 1), 1}, {shape_.id(1, 2), 1}, {shape_.id(1, 3), 1}});
  EXPECT_TRUE(pager_->start_prefetch());
  EXPECT_TRUE(pager_->start_prefetch());
  EXPECT_FALSE(pager_->start_prefetch());
  obey();
  pager_->arrived(shape_.id(1, 1));
  EXPECT_TRUE(pager_->start_prefetch());
}

TEST_F(PagerTest, PrefetchesForTheNextLayerFirst) {
  make(100, 4);
  step(1, {1});
  pager_->hint({{shape_.id(0, 5), 1}, {shape_.id(3, 5), 1}, {shape_.id(2, 5), 1}});
  for (const uint32_t layer : {2U, 3U, 0U}) {
    ASSERT_TRUE(pager_->start_prefetch());
    EXPECT_EQ(obey().front().expert, shape_.id(layer, 5));
  }
}

TEST_F(PagerTest, StopsPrefetchingWhatNobodyUsesAndTriesAgainNowAndThen) {
  make(100, 2);
  uint32_t started = 0;
  for (uint32_t round = 0; round < 2000; ++round) {
    step(0, {round % 10});
    pager_->hint({{shape_.id(1, 9), 1}});
    started += pager_->start_prefetch() ? 1 : 0;
    for (const PagerCommand& command : obey()) {
      if (command.kind == Kind::load && command.prefetch) {
        pager_->arrived(command.expert);
      }
    }
    step(1, {round % 9});
    // Makes the expert absent again, so that the next hint is worth something.
    for (uint32_t flush = 0; flush < 9; ++flush) {
      step(0, {flush});
    }
  }
  EXPECT_GT(started, 20U);
  EXPECT_LT(started, 1000U);
}

// The obvious pager, for demand only: a list of residents in the order of use.
struct Model {
  const ModelGeometry& shape;
  uint64_t capacity;
  std::vector<ExpertId> by_use = {};
  uint64_t hits = 0;
  uint64_t bypasses = 0;

  void run(const Step& step) {
    const auto in_step = [&](ExpertId id) {
      return std::find(step.experts.begin(), step.experts.end(), id) != step.experts.end();
    };
    for (const ExpertId id : step.experts) {
      const auto found = std::find(by_use.begin(), by_use.end(), id);
      if (found != by_use.end()) {
        ++hits;
        by_use.erase(found);
        by_use.push_back(id);
        continue;
      }
      bool fits = true;
      while (fits && used() + shape.bytes_of(id) > capacity) {
        const auto victim = std::find_if_not(by_use.begin(), by_use.end(), in_step);
        fits = victim != by_use.end();
        if (fits) {
          by_use.erase(victim);
        }
      }
      bypasses += fits ? 0 : 1;
      if (fits) {
        by_use.push_back(id);
      }
    }
  }
  uint64_t used() const {
    uint64_t sum = 0;
    for (const ExpertId id : by_use) {
      sum += shape.bytes_of(id);
    }
    return sum;
  }
};

TEST(Pager, AgreesWithASlowModelOnRandomSteps) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const ModelGeometry shape = fake::geometry({5, 9, 7}, 12, 3);
    const uint64_t capacity = 20 + rng.below(200);
    const std::vector<Step> steps =
        fake::random_steps(shape, uint32_t(rng.below(6)), 60, rng.uniform(), seed);
    fake::SlowLru policy;
    fake::EventLog log;
    Pager pager(shape, {.capacity_bytes = capacity}, policy, log);
    Model model{shape, capacity};
    for (const Step& step : steps) {
      pager.begin(step);
      model.run(step);
      pager.take_commands([&](const PagerCommand& command) {
        if (command.kind == Kind::load) {
          pager.arrived(command.expert);
        }
      });
      for (const ExpertId expert : step.experts) {
        pager.used(expert);
      }
      pager.take_commands([](const PagerCommand&) {});
      pager.end();
      ASSERT_EQ(pager.resident_bytes(), model.used());
      ASSERT_EQ(log.count(EventKind::hit), model.hits);
      ASSERT_EQ(log.count(EventKind::bypass), model.bypasses);
    }
  }
}

}  // namespace
}  // namespace spillway
